export {
  type ConnectExecServerOptions,
  connectExecServer,
} from "./client/connect-exec-server.ts";
export { createRemoteTransport } from "./client/create-remote-transport.ts";
export type { ExecServerConnection } from "./client/exec-server-connection.ts";
export { ExecConnectionError, type ExecConnectionErrorCode, isExecConnectionError } from "./errors.ts";
