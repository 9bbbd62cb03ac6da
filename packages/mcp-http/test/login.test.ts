import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { startLocalUpstream } from "@hawser/local-upstream";
import type { OAuthCredential } from "@hawser/oauth-store";
import { expectNoSecret, proves } from "@hawser/test-kit";
import { createDispatcher, createUndiciTransport, TransportError } from "@hawser/transport";
import { afterEach, describe, expect, it } from "vitest";
import { type LoginMcpServerOptions, loginMcpServer, type McpLogin } from "../src/index.ts";
import {
  issuer,
  postedForms,
  type ScriptedAuthority,
  scriptedAuthority,
  serverUrl,
} from "./scripted-authority.ts";

const logins: McpLogin[] = [];

afterEach(async () => {
  for (const login of logins.splice(0)) {
    login.cancel();
    await login.completed.catch(() => {});
  }
});

function savingSession() {
  const saved: { credential: OAuthCredential; pins: unknown }[] = [];
  return {
    saved,
    async login(credential: OAuthCredential, options?: { pins?: unknown }) {
      saved.push({ credential, pins: options?.pins });
      return { view: { accessToken: credential.accessToken }, lineage: "l", generation: 0 };
    },
  };
}

async function begin(authority: ScriptedAuthority, options: Partial<LoginMcpServerOptions> = {}) {
  const session = savingSession();
  const login = await loginMcpServer({
    serverName: "scripted",
    serverUrl,
    transport: authority.transport,
    session,
    clientName: "Hawser test",
    ...options,
  });
  logins.push(login);
  return { login, session, query: Object.fromEntries(login.authorizationUrl.searchParams) };
}

/** What a browser sends when it comes back. */
async function comeBack(
  login: McpLogin,
  parameters: Readonly<Record<string, string>> | string,
  change: { path?: string; host?: string; method?: string } = {},
): Promise<number> {
  const redirect = new URL(login.authorizationUrl.searchParams.get("redirect_uri") ?? "");
  const search = typeof parameters === "string" ? parameters : new URLSearchParams(parameters).toString();
  const { path = redirect.pathname, host = redirect.host, method = "GET" } = change;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  httpRequest(
    { host: "127.0.0.1", port: redirect.port, path: `${path}?${search}`, method, headers: { host } },
    (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    },
  )
    .on("error", reject)
    .end();
  return promise;
}

const failure = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => Promise.reject(new Error("it should have failed")),
    (error: Error) => error,
  );

describe(loginMcpServer, () => {
  it("logs in at a real authorization server", proves("mcp-http/login"), async () => {
    const upstream = await startLocalUpstream();
    const dispatcher = createDispatcher({ ca: upstream.ca.pem });
    const transport = createUndiciTransport({ dispatcher });
    try {
      const session = savingSession();
      const { url } = upstream.mcp;
      const login = await loginMcpServer({
        serverName: "local",
        serverUrl: url,
        transport,
        session,
        clientName: "Hawser test",
      });
      const page = await upstream.mcp.approve(login.authorizationUrl.href);
      expect(page).toMatchObject({ status: 200 });
      expect(page.body).toContain("Authentication complete. You may close this window.");
      await login.completed;
      const [{ credential, pins } = {}] = session.saved;
      expect(credential).toMatchObject({ serverName: "local", serverUrl: url.href, scopes: ["mcp:tools"] });
      expect(credential?.refreshToken).toBeTypeOf("string");
      expect(pins).toMatchObject({ issuer: upstream.mcp.issuer.origin, resource: url.href });
    } finally {
      await transport[Symbol.asyncDispose]();
      await dispatcher.close();
      await upstream.close();
    }
  });

  it(
    "asks with PKCE, state, scope and resource and trades the code with its proof",
    proves("mcp-http/login"),
    async () => {
      const authority = scriptedAuthority();
      const { login, session, query } = await begin(authority);
      const id = createHash("sha256").update(serverUrl).digest().subarray(0, 9).toString("base64url");
      expect(query).toEqual({
        keep: "1",
        response_type: "code",
        client_id: "registered",
        redirect_uri: expect.stringMatching(new RegExp(`^http://127\\.0\\.0\\.1:\\d+/callback/${id}$`)),
        state: expect.stringMatching(/^[\w-]{43}$/),
        code_challenge: expect.stringMatching(/^[\w-]{43}$/),
        code_challenge_method: "S256",
        resource: serverUrl,
        scope: "tools:read tools:call",
      });
      expect(login.scopes).toEqual(["tools:read", "tools:call"]);
      const state = query["state"] ?? "";
      expect(await comeBack(login, { code: "the-code", state, iss: issuer })).toBe(200);
      await login.completed;

      const [form] = postedForms(authority);
      expect(form).toMatchObject({
        grant_type: "authorization_code",
        code: "the-code",
        client_id: "registered",
        redirect_uri: query["redirect_uri"],
        resource: serverUrl,
      });
      const verifier = form?.["code_verifier"] ?? "";
      expect(createHash("sha256").update(verifier).digest("base64url")).toBe(query["code_challenge"]);
      expect(session.saved).toEqual([
        {
          credential: {
            serverName: "scripted",
            serverUrl,
            issuer,
            clientId: "registered",
            accessToken: "planted-access-token",
            refreshToken: "planted-refresh-token",
            expiresAtMs: expect.any(Number),
            scopes: ["tools:read", "tools:call"],
          },
          pins: {
            issuer,
            tokenEndpoint: "https://as.test/token",
            tokenEndpointAuthMethod: "none",
            resource: serverUrl,
          },
        },
      ]);
      const registration = authority.transport.seen.find(({ url }) => url.pathname === "/register");
      expect(JSON.parse(registration?.body as string)).toEqual({
        client_name: "Hawser test",
        redirect_uris: [query["redirect_uri"]],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
        application_type: "native",
        scope: "tools:read tools:call",
      });
    },
  );

  it("takes the scopes and the client that are given", proves("mcp-http/login"), async () => {
    const authority = scriptedAuthority();
    const { query } = await begin(authority, { clientId: "mine", scopes: [] });
    expect(query["client_id"]).toBe("mine");
    expect(query["scope"]).toBeUndefined();
    expect(authority.log.filter((line) => line.includes("/register"))).toEqual([]);
  });

  it(
    "looks below the well-known paths when the challenge names nothing",
    proves("mcp-http/login"),
    async () => {
      const authority = scriptedAuthority();
      authority.override = ({ url }) => {
        if (url.href === serverUrl) return { status: 405 };
        const isRoot = url.href === "https://mcp.test/.well-known/oauth-protected-resource";
        return isRoot ? { body: { json: authority.resource } } : undefined;
      };
      await begin(authority);
      expect(authority.log.slice(0, 4)).toEqual([
        `GET ${serverUrl}`,
        "GET https://mcp.test/.well-known/oauth-protected-resource/tenant/mcp",
        "GET https://mcp.test/.well-known/oauth-protected-resource",
        "GET https://as.test/.well-known/oauth-authorization-server/realm",
      ]);
    },
  );

  it(
    "takes a server without resource metadata for its own authorization server",
    proves("mcp-http/login"),
    async () => {
      const authority = scriptedAuthority();
      authority.override = ({ url }) => {
        if (url.pathname === "/prm") return { status: 404 };
        const isMetadata = url.href === "https://mcp.test/.well-known/oauth-authorization-server";
        return isMetadata
          ? { body: { json: { ...authority.metadata, issuer: "https://mcp.test" } } }
          : undefined;
      };
      const { query } = await begin(authority);
      expect(query["resource"]).toBe(serverUrl);
    },
  );

  it.each<[string, (authority: ScriptedAuthority) => void, object]>([
    [
      "metadata of another resource",
      (a) => Object.assign(a.resource, { resource: "https://mcp.test/other" }),
      { code: "ERR_MCP_HTTP_DISCOVERY", reason: "resource-mismatch" },
    ],
    [
      "another issuer in the metadata",
      (a) => Object.assign(a.metadata, { issuer: "https://as.test/realm/" }),
      { code: "ERR_MCP_HTTP_DISCOVERY", reason: "issuer-mismatch" },
    ],
    [
      "an issuer on this machine for a server elsewhere",
      (a) => Object.assign(a.resource, { authorization_servers: ["http://127.0.0.1:1/"] }),
      { code: "ERR_MCP_HTTP_DISCOVERY", reason: "issuer-url" },
    ],
    [
      "a token endpoint without TLS",
      (a) => Object.assign(a.metadata, { token_endpoint: "http://as.test/token" }),
      { code: "ERR_MCP_HTTP_DISCOVERY", reason: "token-endpoint" },
    ],
    [
      "an authorization endpoint that is no web page",
      (a) => Object.assign(a.metadata, { authorization_endpoint: "file:///etc/passwd" }),
      { code: "ERR_MCP_HTTP_UNSUPPORTED", reason: "authorization-endpoint" },
    ],
    [
      "plain PKCE",
      (a) => Object.assign(a.metadata, { code_challenge_methods_supported: ["plain"] }),
      { code: "ERR_MCP_HTTP_UNSUPPORTED", reason: "pkce" },
    ],
    [
      "silence about PKCE",
      (a) => Object.assign(a.metadata, { code_challenge_methods_supported: undefined }),
      { code: "ERR_MCP_HTTP_UNSUPPORTED", reason: "pkce" },
    ],
    [
      "no registration and no client",
      (a) => Object.assign(a.metadata, { registration_endpoint: undefined }),
      { code: "ERR_MCP_HTTP_UNSUPPORTED", reason: "registration" },
    ],
    [
      "no authorization at all",
      (a) => {
        a.override = ({ url }) => (url.href === serverUrl ? { status: 200 } : { status: 404 });
      },
      { code: "ERR_MCP_HTTP_UNSUPPORTED", reason: "no-authorization" },
    ],
    [
      "a document that is too large",
      (a) => Object.assign(a.metadata, { padding: "x".repeat(262_144) }),
      { code: "ERR_MCP_HTTP_DISCOVERY", reason: "no-metadata" },
    ],
    [
      "a document that is nested too deep",
      (a) => {
        a.override = ({ url }) =>
          url.pathname === "/prm"
            ? { body: `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}` }
            : undefined;
      },
      { code: "ERR_MCP_HTTP_UNSUPPORTED", reason: "no-authorization" },
    ],
    [
      "a server that does not answer",
      (a) => {
        a.override = () => {
          throw new TransportError("ERR_TRANSPORT_REFUSED", "nobody listens");
        };
      },
      { code: "ERR_MCP_HTTP_DISCOVERY", reason: "unreachable", retry: "after" },
    ],
  ])("refuses %s", proves("mcp-http/login-refuses-contradiction"), async (_name, spoil, expected) => {
    const authority = scriptedAuthority();
    spoil(authority);
    expect(await failure(begin(authority))).toMatchObject(expected);
  });

  it(
    "follows a redirect within the origin and none elsewhere",
    proves("mcp-http/login-refuses-contradiction"),
    async () => {
      const authority = scriptedAuthority();
      authority.override = ({ url }) =>
        url.pathname === "/prm"
          ? { status: 302, headers: [["location", "https://evil.test/prm"]] }
          : undefined;
      expect(await failure(begin(authority))).toMatchObject({ code: "ERR_MCP_HTTP_DISCOVERY" });
      expect(authority.log.filter((line) => line.includes("evil"))).toEqual([]);
    },
  );

  it("is ended by its own answer only, and once", proves("mcp-http/login-callback"), async () => {
    const authority = scriptedAuthority();
    const { login, session, query } = await begin(authority);
    const state = query["state"] ?? "";
    const good = { code: "c", state, iss: issuer };
    const twice = `${new URLSearchParams(good)}&code=other`;
    expect(await comeBack(login, good, { path: "/callback/other" })).toBe(400);
    expect(await comeBack(login, good, { path: "/" })).toBe(400);
    expect(await comeBack(login, good, { host: "localhost" })).toBe(400);
    expect(await comeBack(login, good, { host: "attacker.test" })).toBe(400);
    expect(await comeBack(login, good, { method: "POST" })).toBe(400);
    expect(await comeBack(login, { ...good, state: "guess" })).toBe(400);
    expect(await comeBack(login, { code: "c", iss: issuer })).toBe(400);
    expect(await comeBack(login, { code: "c", state })).toBe(400);
    expect(await comeBack(login, { ...good, iss: `${issuer}/` })).toBe(400);
    expect(await comeBack(login, { ...good, error: "access_denied" })).toBe(400);
    expect(await comeBack(login, { state, iss: issuer })).toBe(400);
    expect(await comeBack(login, twice)).toBe(400);
    expect(postedForms(authority)).toEqual([]);
    const [first, second] = await Promise.allSettled([comeBack(login, good), comeBack(login, good)]);
    await login.completed;
    const statuses = [first, second].map((one) => (one.status === "fulfilled" ? one.value : 0));
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(postedForms(authority)).toHaveLength(1);
    expect(session.saved).toHaveLength(1);
  });

  it(
    "does not ask for an issuer that the server never announced",
    proves("mcp-http/login-callback"),
    async () => {
      const authority = scriptedAuthority();
      Object.assign(authority.metadata, { authorization_response_iss_parameter_supported: undefined });
      const { login, query } = await begin(authority);
      expect(
        await comeBack(login, { code: "c", state: query["state"] ?? "", iss: "https://evil.test" }),
      ).toBe(400);
      expect(await comeBack(login, { code: "c", state: query["state"] ?? "" })).toBe(200);
      await login.completed;
    },
  );

  it("ends when it is refused, with the server's word for it", proves("mcp-http/login-ends"), async () => {
    const { login, query } = await begin(scriptedAuthority());
    const refusal = {
      error: "access_denied",
      error_description: "<b>no</b>",
      state: query["state"] ?? "",
      iss: issuer,
    };
    expect(await comeBack(login, refusal)).toBe(400);
    expect(await failure(login.completed)).toMatchObject({
      code: "ERR_MCP_HTTP_LOGIN_FAILED",
      reason: "access_denied",
    });
  });

  it(
    "ends when it is cancelled, by its own handle or by a signal",
    proves("mcp-http/login-ends"),
    async () => {
      const { login } = await begin(scriptedAuthority());
      login.cancel();
      expect(await failure(login.completed)).toMatchObject({ code: "ERR_MCP_HTTP_LOGIN_CANCELLED" });
      expect(await failure(comeBack(login, {}))).toMatchObject({ code: "ECONNREFUSED" });
      const controller = new AbortController();
      const { login: second } = await begin(scriptedAuthority(), { signal: controller.signal });
      controller.abort();
      expect(await failure(second.completed)).toMatchObject({ code: "ERR_MCP_HTTP_LOGIN_CANCELLED" });
      const third = begin(scriptedAuthority(), { signal: controller.signal });
      expect(await failure(third)).toMatchObject({ code: "ERR_MCP_HTTP_LOGIN_CANCELLED" });
    },
  );

  it("ends when nobody comes back in time", proves("mcp-http/login-ends"), async () => {
    const { login } = await begin(scriptedAuthority(), { timeoutMs: 20 });
    expect(await failure(login.completed)).toMatchObject({ code: "ERR_MCP_HTTP_LOGIN_TIMEOUT" });
  });

  it("says which port is taken", proves("mcp-http/login-ends"), async () => {
    const { query } = await begin(scriptedAuthority());
    const port = Number(new URL(query["redirect_uri"] ?? "").port);
    expect(await failure(begin(scriptedAuthority(), { callbackPort: port }))).toMatchObject({
      code: "ERR_MCP_HTTP_OPTIONS",
      reason: "callback-port",
    });
  });

  it.each<[string, object]>([
    ["a refusal", { status: 400, body: { json: { error: "invalid_grant", hint: "planted-refresh-token" } } }],
    ["a broken answer", { body: '{"access_token":"planted-access-token","refresh_token":"planted-refr' }],
    ["another token type", { body: { json: { access_token: "planted-access-token", token_type: "mac" } } }],
    ["no access token", { body: { json: { refresh_token: "planted-refresh-token", token_type: "bearer" } } }],
  ])(
    "shows nothing of the answer when the exchange ends in %s",
    proves("mcp-http/no-secret"),
    async (_name, reply) => {
      const authority = scriptedAuthority();
      authority.override = ({ url }) => (url.pathname === "/token" ? reply : undefined);
      const { login, query } = await begin(authority);
      await comeBack(login, { code: "planted-code", state: query["state"] ?? "", iss: issuer });
      const error = await failure(login.completed);
      expect(error).toMatchObject({ code: "ERR_MCP_HTTP_LOGIN_FAILED" });
      const verifier = postedForms(authority)[0]?.["code_verifier"] ?? "missing";
      const secrets = ["planted-access-token", "planted-refresh-token", "planted-code", verifier];
      expectNoSecret(error, secrets);
      expectNoSecret(login, secrets);
    },
  );
});
