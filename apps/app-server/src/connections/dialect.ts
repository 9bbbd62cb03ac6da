import { describeIssue, quoted, type RpcDialect, RpcError } from "@hawser/json-rpc";

/** How this protocol answers what it cannot take; a fault of this side goes to `onFault`, never to the client. */
export function createDialect(onFault: (method: string, error: unknown) => void): RpcDialect {
  return {
    unknownMethod: (method) =>
      new RpcError(-32601, `Method not supported: ${quoted(method)}`, {
        code: "ERR_APP_SERVER_NOT_SUPPORTED",
      }),
    badParams: (_method, issue) => new RpcError(-32600, `Invalid request: ${describeIssue(issue)}`),
    internalError: (method, error) => {
      onFault(method, error);
      return new RpcError(-32603, "Internal error");
    },
  };
}
