import { createHash, randomBytes } from "node:crypto";
import { answerBackend } from "./account-backend.ts";
import { createDeviceFlow } from "./account-device.ts";
import { type AccountProfile, type AccountTokens, createAccountTokenBook } from "./account-tokens.ts";
import { createFaultSwitch, type Fault, type FaultOptions } from "./faults.ts";
import { createHoldGate, type Hold } from "./hold-gate.ts";
import { applyFault, type Exchange, sendJson, sendRedirect, startLoopbackServer } from "./loopback-server.ts";
import { type Approval, playBrowser } from "./play-browser.ts";
import type { SeenLog } from "./seen-log.ts";

/** The account's authorization server, whose refresh speaks JSON and has its own error codes. */
export interface AccountUpstream {
  /** `http://127.0.0.1:PORT/` */
  readonly issuer: URL;
  readonly tokenUrl: URL;
  readonly revokeUrl: URL;
  /** Base of the account's other endpoints: `/wham/accounts/check`, `/wham/usage`. */
  readonly backendUrl: URL;
  /** Whose tokens these are; changes show in tokens issued from then on. */
  readonly profile: AccountProfile;
  /** Tokens as a login would give them. */
  issueTokens(): AccountTokens;
  /** Approves an authorize URL as a browser with automatic login would; resolves with the last page. */
  approve(authorizeUrl: string): Promise<Approval>;
  /** Throws for a code that was never given out. */
  approveDevice(userCode: string): void;
  /** The exchange of an id token for an API key (RFC 8693). @defaultValue "answer" */
  setApiKeyExchange(mode: "answer" | "refuse"): void;
  /** Refreshes are answered with this error code (401; `invalid_grant` 400), and nothing is spent. */
  refuseRefresh(code: string | undefined): void;
  failRefresh(fault: Fault | undefined, options?: FaultOptions): void;
  failRevoke(fault: Fault | undefined, options?: FaultOptions): void;
  /** Holds the next `count` refreshes before anything is spent. */
  holdRefreshes(count: number): Hold;
  /** Access tokens issued so far answer 401 everywhere. */
  expireAccessTokens(): void;
  /** Lifetime of the access tokens issued from now on. */
  setAccessTokenTtl(seconds: number): void;
  isAccepted(accessToken: string): boolean;
  /** Refresh grants that arrived, refused and failed ones among them. */
  readonly refreshGrants: number;
}

export interface StartedAccountUpstream {
  readonly account: AccountUpstream;
  close(): Promise<void>;
}

export interface AccountUpstreamOptions {
  log: SeenLog;
  accessTokenTtlSeconds: number;
  /** Told of each API key given out in exchange for an id token. */
  onApiKey: (key: string) => void;
}

export async function startAccountUpstream(options: AccountUpstreamOptions): Promise<StartedAccountUpstream> {
  const { log, accessTokenTtlSeconds, onApiKey } = options;
  const book = createAccountTokenBook(log.labels, accessTokenTtlSeconds);
  const codes = new Map<string, { redirectUri: string; challenge: string; clientId: string }>();
  const refreshFaults = createFaultSwitch();
  const revokeFaults = createFaultSwitch();
  const refreshGate = createHoldGate();
  let apiKeyExchange: "answer" | "refuse" = "answer";
  let refusal: string | undefined;
  let refreshGrants = 0;

  const grantCode = (clientId: string, redirectUri: string, challenge: string) => {
    const code = `ac-${randomBytes(18).toString("base64url")}`;
    codes.set(code, { redirectUri, challenge, clientId });
    log.labels.issue("account-code", code);
    return code;
  };

  const device = createDeviceFlow({
    grantCode: (clientId, challenge) =>
      grantCode(clientId, `${issuer.origin}/deviceauth/callback`, challenge),
  });

  const authorize = ({ url, response }: Exchange) => {
    const query = url.searchParams;
    const redirectUri = query.get("redirect_uri") ?? "";
    const challenge = query.get("code_challenge") ?? "";
    const sound =
      query.get("response_type") === "code" &&
      query.get("code_challenge_method") === "S256" &&
      challenge.length === 43 &&
      isLoopback(redirectUri);
    if (!sound) return sendJson(response, 400, { error: "invalid_request" });
    const back = new URL(redirectUri);
    back.searchParams.set("code", grantCode(query.get("client_id") ?? "", redirectUri, challenge));
    back.searchParams.set("state", query.get("state") ?? "");
    sendRedirect(response, back.href);
  };

  const exchangeCode = ({ response }: Exchange, form: Record<string, string>) => {
    const known = codes.get(form["code"] ?? "");
    codes.delete(form["code"] ?? "");
    const proof = createHash("sha256")
      .update(form["code_verifier"] ?? "")
      .digest("base64url");
    const sound =
      known?.challenge === proof &&
      known.redirectUri === form["redirect_uri"] &&
      known.clientId === form["client_id"];
    if (!sound) return sendJson(response, 400, { error: "invalid_grant" });
    sendJson(response, 200, tokenAnswer(book.issue()));
  };

  const exchangeForApiKey = ({ response }: Exchange, form: Record<string, string>) => {
    const sound =
      form["requested_token"] === "openai-api-key" &&
      form["subject_token_type"] === "urn:ietf:params:oauth:token-type:id_token" &&
      log.labels.labelOf(form["subject_token"] ?? "") !== undefined;
    if (!sound || apiKeyExchange === "refuse") return sendJson(response, 400, { error: "invalid_request" });
    const key = `sk-local-${randomBytes(18).toString("base64url")}`;
    log.labels.issue("key", key);
    onApiKey(key);
    sendJson(response, 200, { access_token: key });
  };

  const refresh = async (exchange: Exchange, refreshToken: unknown) => {
    const { response } = exchange;
    refreshGrants += 1;
    await refreshGate.pass();
    if (applyFault(exchange, refreshFaults.take()) === "handled") return;
    if (refusal !== undefined) return refuse(response, refusal);
    if (typeof refreshToken !== "string") return refuse(response, "refresh_token_invalidated");
    const outcome = book.spend(refreshToken);
    if ("refused" in outcome) return refuse(response, outcome.refused);
    sendJson(response, 200, tokenAnswer(outcome.tokens));
  };

  const token = (exchange: Exchange) => {
    const { seen, response } = exchange;
    const fields = (seen.bodyJson ?? {}) as Record<string, string>;
    const isForm = /^application\/x-www-form-urlencoded\b/i.test(seen.headers["content-type"] ?? "");
    if (seen.grant === "refresh_token" && !isForm) return refresh(exchange, fields["refresh_token"]);
    if (seen.grant === "authorization_code" && isForm) return exchangeCode(exchange, fields);
    if (seen.grant === tokenExchange && isForm) return exchangeForApiKey(exchange, fields);
    return sendJson(response, 400, { error: "unsupported_grant_type" });
  };

  const revoke = (exchange: Exchange) => {
    if (applyFault(exchange, revokeFaults.take()) === "handled") return;
    const { token: revoked } = (exchange.seen.bodyJson ?? {}) as { token?: unknown };
    if (typeof revoked === "string") book.revoke(revoked);
    sendJson(exchange.response, 200, {});
  };

  const routes: Record<string, (exchange: Exchange) => void | Promise<void>> = {
    "GET /oauth/authorize": authorize,
    "POST /oauth/token": token,
    "POST /oauth/revoke": revoke,
    "POST /api/accounts/deviceauth/usercode": device.start,
    "POST /api/accounts/deviceauth/token": device.poll,
    "GET /codex/device": device.page,
    "GET /backend-api/wham/accounts/check": (exchange) => answerBackend(exchange, book),
    "GET /backend-api/wham/usage": (exchange) => answerBackend(exchange, book),
  };
  const server = await startLoopbackServer({
    name: "account",
    log,
    handle(exchange) {
      const route = routes[`${exchange.seen.method} ${exchange.seen.path}`];
      if (!route) return sendJson(exchange.response, 404, { error: { code: "not_found" } });
      return route(exchange);
    },
  });
  const issuer = new URL(server.origin);

  return {
    account: {
      issuer,
      tokenUrl: new URL("/oauth/token", issuer),
      revokeUrl: new URL("/oauth/revoke", issuer),
      backendUrl: new URL("/backend-api", issuer),
      profile: book.profile,
      issueTokens: () => book.issue(),
      approve: playBrowser,
      approveDevice: (userCode) => device.approve(userCode),
      setApiKeyExchange(mode) {
        apiKeyExchange = mode;
      },
      refuseRefresh(code) {
        refusal = code;
      },
      failRefresh: (fault, faultOptions) => refreshFaults.set(fault, faultOptions),
      failRevoke: (fault, faultOptions) => revokeFaults.set(fault, faultOptions),
      holdRefreshes: (count) => refreshGate.hold(count),
      expireAccessTokens: () => book.expireAccessTokens(),
      setAccessTokenTtl: (seconds) => book.setAccessTokenTtl(seconds),
      isAccepted: (accessToken) => book.isAccepted(accessToken),
      get refreshGrants() {
        return refreshGrants;
      },
    },
    async close() {
      refreshGate.open();
      await server.close();
    },
  };
}

const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange";

function refuse(response: Exchange["response"], code: string): void {
  const status = code === "invalid_grant" ? 400 : 401;
  sendJson(response, status, { error: { code, message: `refused by the local upstream: ${code}` } });
}

function tokenAnswer({ idToken, accessToken, refreshToken }: AccountTokens): Record<string, string> {
  return { id_token: idToken, access_token: accessToken, refresh_token: refreshToken };
}

function isLoopback(redirectUri: string): boolean {
  if (!URL.canParse(redirectUri)) return false;
  const { protocol, hostname } = new URL(redirectUri);
  return protocol === "http:" && (hostname === "127.0.0.1" || hostname === "localhost");
}
