import type { LocalUpstream } from "@hawser/local-upstream";
import { type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { createDispatcher, createUndiciTransport, type HttpTransport } from "@hawser/transport";
import {
  type AuthEvent,
  type AuthManager,
  type AuthManagerOptions,
  createAuthManager,
} from "../src/index.ts";

export interface OpenAccount extends AsyncDisposable {
  readonly manager: AuthManager;
  readonly home: TemporaryHome;
  readonly events: AuthEvent[];
  readonly transport: HttpTransport;
  /** Refreshes that reached the provider since this account was opened. */
  refreshes(): number;
  /** Stands for another process that shares the home. */
  another(options?: Partial<AuthManagerOptions>): AuthManager;
  /** Writes a login as a browser login would have left it; returns its tokens. */
  seed(more?: object): Promise<{ accessToken: string; refreshToken: string; idToken: string }>;
}

/** An account manager on a home of its own, beside the local provider, over real sockets and files. */
export async function openAccount(
  upstream: LocalUpstream,
  options: Partial<AuthManagerOptions> = {},
): Promise<OpenAccount> {
  const home = await temporaryHome();
  const dispatcher = createDispatcher({ connections: "fresh" });
  const transport = createUndiciTransport({ dispatcher });
  const refreshesBefore = upstream.account.refreshGrants;
  const managers: AuthManager[] = [];
  const { issuer, tokenUrl, revokeUrl } = upstream.account;
  const another = (more: Partial<AuthManagerOptions> = {}): AuthManager => {
    const manager = createAuthManager({
      home: home.path,
      transport,
      endpoints: { issuer, tokenUrl, revokeUrl },
      clientId: "app_local",
      identity: () => [
        ["originator", "hawser_test"],
        ["user-agent", "hawser_test/1"],
      ],
      ...options,
      ...more,
    });
    managers.push(manager);
    return manager;
  };
  const manager = another();
  const events: AuthEvent[] = [];
  manager.onEvent((event) => void events.push(event));
  return {
    manager,
    home,
    events,
    transport,
    refreshes: () => upstream.account.refreshGrants - refreshesBefore,
    another,
    async seed(more = {}) {
      const tokens = upstream.account.issueTokens();
      const { idToken, accessToken, refreshToken } = tokens;
      const file = {
        auth_mode: "chatgpt",
        OPENAI_API_KEY: null,
        tokens: {
          id_token: idToken,
          access_token: accessToken,
          refresh_token: refreshToken,
          account_id: upstream.account.profile.accountId,
        },
        last_refresh: new Date().toISOString(),
        ...more,
      };
      await home.write("auth.json", JSON.stringify(file, null, 2));
      return tokens;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(managers.map((one) => one[Symbol.asyncDispose]()));
      await dispatcher.destroy();
      await home.remove();
    },
  };
}
