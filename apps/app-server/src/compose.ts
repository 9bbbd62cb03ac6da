import { join } from "node:path";
import { type AuthManager, createAuthManager, withBearerRecovery } from "@hawser/auth-manager";
import {
  CHATGPT_HOSTS,
  createAffinityJar,
  withAffinityCookies,
  withChallengeErrors,
} from "@hawser/cf-affinity-jar";
import {
  createIdentityScope,
  type IdentityScope,
  identityHeaders,
  processIdentity,
  withIdentityHeaders,
} from "@hawser/client-identity";
import { createMcpClient, createMcpRefreshGrant } from "@hawser/mcp-http";
import {
  createAggregateFileStore,
  createCredentialSession,
  flockProvider,
  oauthCredential,
  storeKey,
} from "@hawser/oauth-store";
import { withRetry } from "@hawser/retry-sse";
import {
  createDispatcher,
  createUndiciTransport,
  type HttpTransport,
  type TransportWrapper,
  withRedirects,
} from "@hawser/transport";
import { accountEndpoints, callbackPorts } from "./account/account-settings.ts";
import type { AppConfig, McpServerConfig } from "./config/app-config.ts";
import { createEnvironmentTransport } from "./environments/environment-transport.ts";
import { withIdentityWhereNone } from "./identity/with-identity-where-none.ts";
import { createMcpAccess } from "./mcp/create-mcp-access.ts";
import type { McpAccess, McpSession } from "./mcp/mcp-access.ts";
import { staticHeaders } from "./mcp/mcp-headers.ts";
import { McpRegistry } from "./mcp/mcp-registry.ts";
import { McpServer } from "./mcp/mcp-server.ts";
import { createModelClient, type ModelClient } from "./model/model-client.ts";
import { modelEndpoint } from "./model/model-endpoint.ts";

export interface ComposeOptions {
  readonly config: AppConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of the logins. */
  readonly home: string;
  readonly productVersion: string;
  /** Told that the variable which names the process holds no name. @defaultValue nobody */
  readonly onIgnoredOverride?: ((variable: string) => void) | undefined;
}

export interface Composition extends AsyncDisposable {
  readonly scope: IdentityScope;
  readonly account: AuthManager;
  readonly model: ModelClient;
  readonly mcp: McpRegistry;
  readonly mcpAccess: McpAccess;
  /** Resolves when nothing that a login depends on is under way. */
  settle(): Promise<void>;
}

/** Nests the rooms. Whatever a process shares is made here, once, and passed down. */
export function compose(options: ComposeOptions): Composition {
  const { config, env, home, productVersion } = options;

  const scope = createIdentityScope(
    processIdentity({
      name: "hawser",
      version: productVersion,
      env,
      overrideVariable: "CODEX_INTERNAL_ORIGINATOR_OVERRIDE",
      onIgnoredOverride: options.onIgnoredOverride,
    }),
  );
  const nobody = createIdentityScope(scope.process); // never entered: what is sent under it is the process's own
  const hosts = { ...CHATGPT_HOSTS, exact: [...CHATGPT_HOSTS.exact, ...config.affinityHosts] };
  const jar = createAffinityJar({ hosts });

  const trust = {
    env,
    caVariables: ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"],
  };
  const dispatcher = createDispatcher(trust);
  const freshDispatcher = createDispatcher({ ...trust, connections: "fresh" }); // for what can be spent once
  const wire = createUndiciTransport({ dispatcher });
  const freshWire = createUndiciTransport({ dispatcher: freshDispatcher });

  const sameOrigin = withRedirects({ mode: "same-origin" });
  const tokenEndpoint = withRedirects({ mode: "error" })(freshWire); // no retry, no cookie, no redirect
  // A login is its client's work; what the account keeps for everybody says that it is the process's.
  const accountEndpoint = withIdentityWhereNone(scope)(tokenEndpoint);
  const account = createAuthManager({
    home,
    transport: accountEndpoint,
    endpoints: accountEndpoints(env),
    clientId: env["CODEX_APP_SERVER_LOGIN_CLIENT_ID"] ?? "app_EMoamEEZ73f0CkXaXp7hrann",
    callbackPorts: callbackPorts(env),
    identity: () => identityHeaders(scope.process),
  });

  const asAccount: TransportWrapper = config.provider.requiresAccount
    ? withBearerRecovery(account)
    : (next) => next;
  // A limit that resets far in the future is the provider's answer, and says more than an error of ours.
  const policy = { maxRetries: config.provider.maxRetries, aboveMaxRetryAfter: "return" } as const;
  const challenges = withChallengeErrors();
  // biome-ignore format: the nesting is the order, outermost first
  const model =
    asAccount(                          // a 401 is answered once
      withRetry(policy)(                // each attempt below is a whole request; the budget travels in the operation
        challenges(                     // a challenge page wants a browser: no attempt after it
          sameOrigin(                   // each hop below is a whole request
            withAffinityCookies(jar)(   // so every hop carries its own host's affinity
              withIdentityHeaders(scope)(
                wire)))))); // undici: proxy, CA, pool, limits, timeouts

  // A call carries its sender's identity in its operation. What carries none belongs to the session, which is
  // everybody's: its opening, its event stream, its end.
  // biome-ignore format: as above
  const localMcp =                    // no retry: a tool call is sent once
    challenges(
      sameOrigin(
        withAffinityCookies(jar)(
          withIdentityHeaders(nobody)(
            wire))));

  const environments = new Map(
    [...config.environments.values()].map((environment) => [
      environment.id,
      createEnvironmentTransport({
        url: environment.url,
        bearer: environment.bearer ?? env[environment.bearerEnvVariable ?? ""],
        clientName: "hawser",
        identity: identityHeaders(scope.process),
        dispatcher,
      }),
    ]),
  );
  // The process that sends the request owns the jar: there is no affinity above a remote transport.
  const remoteMcp = (remote: HttpTransport): HttpTransport =>
    challenges(sameOrigin(withIdentityHeaders(nobody)(remote)));

  const locks = flockProvider();
  const store = createAggregateFileStore({
    path: join(home, ".credentials.json"),
    locks,
    lockPath: join(home, "mcp-oauth-locks", "file-store.lock"),
  });
  const mcpTokenEndpoint = withIdentityHeaders(nobody)(freshWire);
  const sessions = new Map<string, McpSession>();
  for (const { name, urlText } of config.mcpServers.values()) {
    if (urlText === undefined) continue;
    const session = createCredentialSession({
      kind: oauthCredential,
      store,
      key: storeKey(name, urlText),
      home,
      locks,
      refreshGrant: createMcpRefreshGrant({ transport: mcpTokenEndpoint }),
    });
    sessions.set(name, session);
  }

  const mcpServer = (server: McpServerConfig): McpServer => {
    const { name, url, environmentId, toolTimeoutMs } = server;
    const remote = environments.get(environmentId ?? "");
    const createClient = () =>
      createMcpClient({
        serverName: name,
        url: url as URL,
        transport: remote === undefined ? localMcp : remoteMcp(remote),
        session: sessions.get(name),
        headers: staticHeaders(server, env),
        clientInfo: { name: "hawser", version: productVersion },
        callTimeoutMs: toolTimeoutMs,
      });
    return new McpServer({ config: server, createClient: url === undefined ? undefined : createClient });
  };
  const mcp = new McpRegistry([...config.mcpServers.values()].map(mcpServer), scope);

  return {
    scope,
    account,
    mcp,
    model: createModelClient({ transport: model, ...policy, ...modelEndpoint({ config, env, account }) }),
    mcpAccess: createMcpAccess({
      sessions,
      env,
      transport: withIdentityHeaders(scope)(freshWire),
    }),
    async settle() {
      await Promise.all([account.settle(), ...[...sessions.values()].map((session) => session.settle())]);
    },
    async [Symbol.asyncDispose]() {
      await mcp.close();
      await Promise.all([...environments.values()].map((remote) => remote[Symbol.asyncDispose]()));
      await account[Symbol.asyncDispose]();
      await Promise.all([...sessions.values()].map((session) => session[Symbol.asyncDispose]()));
      await Promise.all([dispatcher.destroy(), freshDispatcher.destroy()]);
    },
  };
}
