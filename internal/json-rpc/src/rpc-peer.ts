import type { z } from "zod";
import type { MessageChannel } from "./message-channel.ts";

/** What a handler gets beside its parameters. */
export interface RpcContext {
  readonly id: number | string;
  /** Aborts when the connection goes. */
  readonly signal: AbortSignal;
  readonly peer: RpcPeer;
  /** Runs once the reply to this request is queued: for notifications that must follow it. */
  afterReply(task: () => void): void;
}

/** A method this side answers. `params` is parsed before `handle` sees it. */
export interface RpcMethod<S extends z.ZodType = z.ZodType> {
  readonly params: S;
  /** Whether `params` may be left out. @defaultValue false */
  readonly paramsOptional?: boolean | undefined;
  handle(params: z.output<S>, context: RpcContext): unknown;
}

export interface RpcPeerOptions {
  readonly channel: MessageChannel;
  /** By method name; a `Map`, so that no name reaches a prototype. */
  readonly methods: ReadonlyMap<string, RpcMethod>;
  readonly notifications?: ReadonlyMap<string, RpcMethod> | undefined;
  /** Refuses a request before it is parsed or run: handshake state. Throw an `RpcError`. */
  readonly admit?: ((method: string) => void) | undefined;
  /** Requests being answered at once; above it, reading stops. @defaultValue 64 */
  readonly maxConcurrentRequests?: number | undefined;
}

/** One side of a connection: answers requests, sends its own. */
export interface RpcPeer {
  request(method: string, params: unknown, options?: { signal?: AbortSignal | undefined }): Promise<unknown>;
  notify(method: string, params: unknown): Promise<void>;
  close(code?: number, reason?: string): Promise<void>;
  readonly closed: Promise<void>;
}
