import type { AccountEndpointOptions } from "@hawser/auth-manager";

type Env = Readonly<Record<string, string | undefined>>;

/** Where the account's authorization server is: the environment may move it, for tests and private providers. */
export function accountEndpoints(env: Env): AccountEndpointOptions {
  return {
    issuer: env["CODEX_APP_SERVER_LOGIN_ISSUER"] ?? "https://auth.openai.com",
    tokenUrl: env["CODEX_REFRESH_TOKEN_URL_OVERRIDE"],
    revokeUrl: env["CODEX_REVOKE_TOKEN_URL_OVERRIDE"],
  };
}

/** The two redirect addresses that the public issuer knows; another issuer takes any port of the loopback. */
export function callbackPorts(env: Env): readonly number[] {
  return env["CODEX_APP_SERVER_LOGIN_ISSUER"] === undefined ? [1455, 1457] : [1455, 1457, 0];
}
