import type { z } from "zod";
import type { RpcPeer } from "./rpc-peer.ts";

/** A request id: an integer that JavaScript can hold exactly, or a string. Answered as it was asked. */
export type RpcId = number | string;

/** What a handler gets beside its parameters. */
export interface RpcContext {
  /** The request's id; `undefined` for a notification. */
  readonly id: RpcId | undefined;
  /** Aborts when the connection goes. One signal per connection: remove listeners that outlive the request. */
  readonly signal: AbortSignal;
  readonly peer: RpcPeer;
  /** Runs once the reply to this request is queued: for notifications that must follow it. */
  afterReply(task: () => void): void;
}

/** A method this side answers. `params` is parsed before `handle` sees it. */
export interface RpcMethod<S extends z.ZodType = z.ZodType> {
  readonly params: S;
  /** Whether `params` may be left out or null; `{}` is parsed then. @defaultValue false */
  readonly paramsOptional?: boolean | undefined;
  /**
   * Whether nothing after this message is looked at until it is answered: for a handshake whose outcome decides what
   * the next message may do. @defaultValue false
   */
  readonly serial?: boolean | undefined;
  /** Answers with what it returns, or with the `RpcError` it throws. Any other error answers as an internal one. */
  handle(params: z.output<S>, context: RpcContext): unknown;
}

/** A method whose handler sees the parsed type of its `params`. */
export function rpcMethod<S extends z.ZodType>(method: RpcMethod<S>): RpcMethod {
  return method as unknown as RpcMethod;
}
