import { randomBytes } from "node:crypto";
import { AccountCredential } from "./account-credential.ts";
import { authorizeUrl } from "./authorize-url.ts";
import { type CallbackPage, plainText } from "./callback-page.ts";
import { startCallbackServer } from "./callback-server.ts";
import { AuthManagerError } from "./errors.ts";
import { exchangeCode } from "./exchange-code.ts";
import type { LoginAttempt, LoginOutcome } from "./login-attempt.ts";
import type { LoginContext } from "./login-context.ts";
import { createPkce } from "./pkce.ts";

export interface BrowserLoginOptions {
  /** Name of the client that asks, for the login page. @defaultValue none */
  readonly originator?: string | undefined;
  /** @defaultValue the account's usual scopes */
  readonly scopes?: readonly string[] | undefined;
  /** The login must belong to one of these workspaces. @defaultValue any */
  readonly allowedWorkspaceIds?: readonly string[] | undefined;
  /** @defaultValue 600_000 */
  readonly timeoutMs?: number | undefined;
}

export interface BrowserLogin {
  readonly loginId: string;
  /** Open this in a browser: https, or http on loopback. */
  readonly authUrl: string;
  /** Never rejects. */
  readonly completed: Promise<LoginOutcome>;
  /** False when it was too late. */
  cancel(): boolean;
}

/** Waits for the browser on loopback, then exchanges the code. Resolves with the address to open. */
export async function runBrowserLogin(
  attempt: LoginAttempt,
  context: LoginContext,
  options: BrowserLoginOptions & { readonly callbackPorts: readonly number[] },
): Promise<string> {
  const { verifier, challenge } = createPkce();
  const state = randomBytes(32).toString("base64url");
  const callback = Promise.withResolvers<URLSearchParams>();
  // Only the attempt awaits it; a cancelled one never does.
  callback.promise.catch(() => undefined);
  const server = await startCallbackServer({
    ports: options.callbackPorts,
    state,
    async onCallback(query) {
      callback.resolve(query);
      return page(await attempt.completed);
    },
  });
  attempt.signal.addEventListener("abort", () => callback.reject(attempt.signal.reason), { once: true });
  // The page is answered after `completed`, so the port is given back after it too.
  attempt.completed.then(() => server.close()).finally(() => attempt.done());
  const { endpoints, clientId } = context;
  attempt.run(async () => {
    attempt.signal.throwIfAborted();
    const code = readCallback(await callback.promise, endpoints.issuer);
    const tokens = await exchangeCode({
      transport: context.transport,
      loginTokenUrl: endpoints.loginTokenUrl,
      clientId,
      code,
      redirectUri: server.redirectUri,
      verifier,
    });
    const credential = AccountCredential.fromLogin(tokens, {
      provenance: { issuer: endpoints.issuer, clientId },
      ownerId: randomBytes(32).toString("base64url"),
      receivedAtMs: context.now(),
    });
    const { allowedWorkspaceIds = [] } = options;
    if (allowedWorkspaceIds.length > 0 && !allowedWorkspaceIds.includes(credential.accountId ?? "")) {
      await context.discard(credential);
      throw denied("The login belongs to a workspace that is not allowed here.");
    }
    return credential;
  });
  return authorizeUrl({
    authorizeUrl: endpoints.authorizeUrl,
    clientId,
    redirectUri: server.redirectUri,
    state,
    challenge,
    scopes: options.scopes,
    originator: options.originator,
    allowedWorkspaceIds: options.allowedWorkspaceIds,
  }).href;
}

/** The code in a callback whose state was right (RFC 6749, section 4.1.2; RFC 9207 for `iss`). */
function readCallback(query: URLSearchParams, issuer: string): string {
  const iss = query.get("iss");
  if (iss !== null && iss.replace(/\/+$/, "") !== issuer) {
    throw denied("The callback names another authorization server.");
  }
  const error = query.get("error");
  if (error !== null) {
    const description = plainText(query.get("error_description") ?? "") || plainText(error);
    throw denied(`Sign-in failed: ${JSON.stringify(description)}`);
  }
  const codes = query.getAll("code");
  if (codes.length !== 1 || !codes[0]) throw denied("The callback carried no code.");
  return codes[0];
}

function denied(message: string): AuthManagerError {
  return new AuthManagerError("ERR_AUTH_MANAGER_LOGIN_DENIED", message);
}

function page(outcome: LoginOutcome): CallbackPage {
  return outcome.success
    ? { status: 200, title: "Logged in", text: "You can close this window." }
    : { status: 400, title: "Login failed", text: outcome.message };
}
