import { type RpcMethod, rpcMethod } from "@hawser/json-rpc";
import type { z } from "zod";
import type { ClientConnection } from "./client-connection.ts";

/** One request of one client. */
export interface Call {
  readonly connection: ClientConnection;
  /** Aborts when the connection goes. */
  readonly signal: AbortSignal;
  /** Runs once the reply is queued: for notifications that must follow it. */
  afterReply(task: () => void): void;
}

/** A method of the protocol, not yet tied to a connection. */
export interface AppMethod {
  readonly name: string;
  bind(connection: ClientConnection): RpcMethod;
}

export interface AppMethodOptions {
  /** `params` may be left out. @defaultValue false */
  readonly paramsOptional?: boolean | undefined;
  /** Nothing after it is looked at until it is answered. @defaultValue false */
  readonly serial?: boolean | undefined;
}

/** Describes a method: what its parameters must look like, and what answers it. */
export function appMethod<S extends z.ZodType>(
  name: string,
  params: S,
  handle: (params: z.output<S>, call: Call) => unknown,
  options: AppMethodOptions = {},
): AppMethod {
  return {
    name,
    bind: (connection) =>
      rpcMethod({
        params,
        ...options,
        handle: (parsed, { signal, afterReply }) => handle(parsed, { connection, signal, afterReply }),
      }),
  };
}
