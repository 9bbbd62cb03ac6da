import { createHash, randomBytes, randomInt } from "node:crypto";
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
  const devices = new Map<string, { userCode: string; clientId: string; approved: boolean }>();
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

  const startDevice = ({ seen, response }: Exchange) => {
    const { client_id: clientId = "" } = (seen.bodyJson ?? {}) as { client_id?: string };
    const id = `dev-${randomBytes(12).toString("base64url")}`;
    const userCode = `${randomInt(1000, 9999)}-${randomInt(1000, 9999)}`;
    devices.set(id, { userCode, clientId, approved: false });
    // The interval is a string of seconds there, and so it is here.
    sendJson(response, 200, { device_auth_id: id, user_code: userCode, interval: "1" });
  };

  const pollDevice = ({ seen, response }: Exchange) => {
    const asked = (seen.bodyJson ?? {}) as { device_auth_id?: string; user_code?: string };
    const id = asked.device_auth_id ?? "";
    const device = devices.get(id);
    if (device === undefined || device.userCode !== asked.user_code || !device.approved) {
      return sendJson(response, 403, { error: "authorization_pending" });
    }
    devices.delete(id);
    const verifier = randomBytes(48).toString("base64url");
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const code = grantCode(device.clientId, `${issuer.origin}/deviceauth/callback`, challenge);
    sendJson(response, 200, { authorization_code: code, code_challenge: challenge, code_verifier: verifier });
  };

  const approveDevice = (userCode: string) => {
    const device = [...devices.values()].find((one) => one.userCode === userCode);
    if (!device) throw new Error("that device code was never given out, or is used already");
    device.approved = true;
  };

  const devicePage = ({ url, response }: Exchange) => {
    const userCode = url.searchParams.get("user_code");
    const known = [...devices.values()].some((one) => one.userCode === userCode);
    if (userCode !== null && known) approveDevice(userCode);
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(known ? approvedPage : codePage);
  };

  const backend = ({ seen, response }: Exchange) => {
    const bearer = /^bearer +(\S+)$/i.exec(seen.headers["authorization"] ?? "")?.[1] ?? "";
    if (!book.isAccepted(bearer)) return sendJson(response, 401, { error: { code: "token_expired" } });
    const { accountId, planType } = book.profile;
    if (seen.path.endsWith("/accounts/check")) {
      const account = { account_id: accountId, plan_type: planType, name: "Local workspace" };
      return sendJson(response, 200, {
        accounts: { [accountId]: { account } },
        account_ordering: [accountId],
      });
    }
    if (!seen.path.endsWith("/usage")) return sendJson(response, 404, { error: { code: "not_found" } });
    const window = (seconds: number, percent: number) => ({
      used_percent: percent,
      limit_window_seconds: seconds,
      reset_after_seconds: seconds,
      reset_at: Math.floor(Date.now() / 1000) + seconds,
    });
    const rateLimit = {
      allowed: true,
      limit_reached: false,
      primary_window: window(5 * 3600, 3),
      secondary_window: window(7 * 24 * 3600, 1),
    };
    sendJson(response, 200, { plan_type: planType, rate_limit: rateLimit });
  };

  const routes: Record<string, (exchange: Exchange) => void | Promise<void>> = {
    "GET /oauth/authorize": authorize,
    "POST /oauth/token": token,
    "POST /oauth/revoke": revoke,
    "POST /api/accounts/deviceauth/usercode": startDevice,
    "POST /api/accounts/deviceauth/token": pollDevice,
    "GET /codex/device": devicePage,
    "GET /backend-api/wham/accounts/check": backend,
    "GET /backend-api/wham/usage": backend,
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
      approveDevice,
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
const approvedPage = "<!doctype html><title>Signed in</title><p>Signed in. You may close this page.</p>";
const codePage =
  "<!doctype html><title>Sign in a device</title><form><label>Code <input name=user_code></label><button>Sign in</button></form>";

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
