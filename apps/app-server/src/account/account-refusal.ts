import { isAuthManagerError } from "@hawser/auth-manager";
import { RpcError } from "@hawser/json-rpc";

/** Waits for `work`; what the account's room refuses becomes the refusal that a client is told. */
export async function orAccountRefusal<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw accountRefusal(error);
  }
}

/** What a client is told when the account's room refuses: the known texts for known cases, never a foreign one. */
function accountRefusal(error: unknown): unknown {
  if (!isAuthManagerError(error)) return error;
  const data = { code: error.code };
  switch (error.code) {
    case "ERR_AUTH_MANAGER_EXTERNAL_ACTIVE":
      return new RpcError(
        -32600,
        "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or account/logout to clear it.",
        data,
      );
    case "ERR_AUTH_MANAGER_EXTERNAL_INVALID":
      return new RpcError(-32603, "failed to set external auth: invalid ID token format", data);
    case "ERR_AUTH_MANAGER_API_KEY_INVALID":
    case "ERR_AUTH_MANAGER_DEVICE_LOGIN_UNAVAILABLE":
    case "ERR_AUTH_MANAGER_CALLBACK_PORT_BUSY":
    case "ERR_AUTH_MANAGER_LOGIN_SUPERSEDED":
      return new RpcError(-32600, error.message, data);
    default:
      return new RpcError(-32603, error.message, data);
  }
}
