import { generateKeyPairSync, randomBytes } from "node:crypto";
import { IncomingMessage, type ServerResponse } from "node:http";
import Provider, { type JWKS } from "oidc-provider";
import { createFaultSwitch, type FaultSwitch } from "./faults.ts";
import { createHoldGate, type HoldGate } from "./hold-gate.ts";
import {
  applyFault,
  type Exchange,
  type LoopbackServer,
  sendJson,
  startLoopbackServer,
} from "./loopback-server.ts";
import { createMapStorage } from "./map-adapter.ts";
import type { SeenLog } from "./seen-log.ts";

export interface OAuthProvider {
  readonly issuer: URL;
  /** What protects resources: says whether this access token is good for them, by direct lookup. */
  isAccepted(accessToken: string): Promise<boolean>;
  destroyAccessTokens(): number;
  /** A refresh is answered with this OAuth error and nothing is spent; `undefined` takes it back. */
  refuseRefresh(error: string | undefined): void;
  readonly refreshFaults: FaultSwitch;
  readonly refreshGate: HoldGate;
  setAccessTokenTtl(seconds: number): void;
  readonly refreshGrants: number;
  close(): Promise<void>;
}

export interface OAuthProviderOptions {
  log: SeenLog;
  /** The protected resource (RFC 8707); known only once its server listens. */
  resource: () => string;
  scope: string;
  accessTokenTtlSeconds: number;
}

/**
 * An OAuth 2.1 authorization server for native clients: discovery (RFC 8414), dynamic registration (RFC 7591), PKCE,
 * resource indicators (RFC 8707), opaque access tokens, one-time refresh tokens whose reuse revokes the whole grant.
 * Whoever comes to its authorization endpoint is logged in and has consented.
 */
export async function startOAuthProvider(options: OAuthProviderOptions): Promise<OAuthProvider> {
  const { log, resource, scope } = options;
  let { accessTokenTtlSeconds } = options;
  let refusal: string | undefined;
  let refreshGrants = 0;
  const refreshFaults = createFaultSwitch();
  const refreshGate = createHoldGate();
  const storage = createMapStorage({
    onStored: (model, id) => {
      if (model === "AccessToken") log.labels.issue("access", id);
      if (model === "RefreshToken") log.labels.issue("refresh", id);
      if (model === "AuthorizationCode") log.labels.issue("code", id);
    },
  });

  let answer: (exchange: Exchange) => Promise<void> = async () => {};
  const server: LoopbackServer = await startLoopbackServer({
    name: "oauth",
    log,
    handle: (exchange) => answer(exchange),
  });

  const provider = new Provider(server.origin, {
    adapter: storage.adapter,
    jwks: signingKeys(),
    enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    scopes: [scope],
    responseTypes: ["code"],
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // Without this a refresh token needs `offline_access`, which is no scope of the resource and loops the consent.
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    ttl: {
      AccessToken: () => accessTokenTtlSeconds,
      AuthorizationCode: 60,
      Grant: monthSeconds,
      Interaction: 600,
      RefreshToken: monthSeconds,
      Session: monthSeconds,
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource(),
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope,
          audience: resource(),
          accessTokenTTL: accessTokenTtlSeconds,
          accessTokenFormat: "opaque",
        }),
      },
    },
    findAccount: (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    renderError: (ctx, out) => {
      ctx.type = "json";
      ctx.body = out;
    },
  });
  const callback = provider.callback();

  const approve = async (request: IncomingMessage, response: ServerResponse) => {
    const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
    if (prompt.name === "login") {
      await provider.interactionFinished(request, response, { login: { accountId: "local-user" } });
      return;
    }
    const known = grantId ? await provider.Grant.find(grantId) : undefined;
    const grant =
      known ??
      new provider.Grant({
        accountId: session?.accountId ?? "local-user",
        clientId: String(params["client_id"]),
      });
    grant.addResourceScope(resource(), scope);
    // Registration refuses scopes the provider does not list, and listing one makes it ask for this consent as well.
    grant.addOIDCScope(`openid ${scope}`);
    await provider.interactionFinished(
      request,
      response,
      { consent: { grantId: await grant.save() } },
      { mergeWithLastSubmission: true },
    );
  };

  // The provider looks a refresh token up and marks it spent in separate steps; one at a time makes spending atomic.
  let tokenQueue: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    tokenQueue = tokenQueue.then(work, work);
    return tokenQueue;
  };

  answer = async (exchange) => {
    const { seen, request, response, body } = exchange;
    if (seen.path.startsWith("/interaction/")) return approve(request, response);
    const replayed = withBody(request, body);
    const run = () => finished(response, () => callback(replayed, response));
    if (seen.path !== "/token") return run();
    if (seen.grant === "refresh_token") {
      refreshGrants += 1;
      await refreshGate.pass();
      if (applyFault(exchange, refreshFaults.take()) === "handled") return;
      if (refusal !== undefined) return sendJson(response, 400, { error: refusal });
    }
    return inTurn(run);
  };

  return {
    issuer: new URL(server.origin),
    async isAccepted(accessToken) {
      const found = await provider.AccessToken.find(accessToken);
      if (found === undefined || !found.isValid) return false;
      return [found.aud].flat().includes(resource()) && (found.scope ?? "").split(" ").includes(scope);
    },
    destroyAccessTokens: () => storage.deleteAll("AccessToken"),
    refuseRefresh(error) {
      refusal = error;
    },
    refreshFaults,
    refreshGate,
    setAccessTokenTtl(seconds) {
      accessTokenTtlSeconds = seconds;
    },
    get refreshGrants() {
      return refreshGrants;
    },
    close: () => server.close(),
  };
}

const monthSeconds = 30 * 24 * 3600;

function signingKeys(): JWKS {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "ES256" }] } as JWKS;
}

/** The body is read already; the provider reads it again from a request that still holds it. */
function withBody(request: IncomingMessage, body: Buffer): IncomingMessage {
  const copy = new IncomingMessage(request.socket);
  copy.method = request.method;
  copy.url = request.url;
  copy.httpVersion = request.httpVersion;
  copy.headers = request.headers;
  copy.rawHeaders = request.rawHeaders;
  // A request that ends "incomplete" takes its connection with it.
  copy.complete = true;
  copy.push(body);
  copy.push(null);
  return copy;
}

/** Resolves when the response has ended, however it ended. */
async function finished(response: ServerResponse, run: () => Promise<unknown> | unknown): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    response.once("finish", resolve);
    response.once("close", resolve);
  });
  await run();
  await closed;
}
