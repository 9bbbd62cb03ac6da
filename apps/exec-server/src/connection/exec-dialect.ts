import { describeIssue, quoted, type RpcDialect, RpcError } from "@hawser/json-rpc";
import type { Logger } from "pino";

/**
 * What this protocol says in its own way: an unreadable message is answered with id -1, where its own cannot be read,
 * and what a client may not send at all ends the connection, with a code and a reason.
 */
export function execDialect(logger: Logger): RpcDialect {
  return {
    unreadable: (reason, id) => ({
      id: id ?? -1,
      error: new RpcError(
        reason === "not-json" ? -32700 : -32600,
        `failed to parse JSON-RPC message: ${reason.replaceAll("-", " ")}`,
      ),
    }),
    unknownMethod: (method) => new RpcError(-32601, `this exec-server does not support ${quoted(method)}`),
    badParams: (method, issue) => new RpcError(-32602, `${method}: ${describeIssue(issue)}`),
    internalError: (method, error) => {
      logger.error({ method, fault: error instanceof Error ? error.name : typeof error }, "a handler failed");
      return new RpcError(-32603, `${method} failed unexpectedly`);
    },
    unknownNotification: "close",
    unexpectedReply: "close",
  };
}
