import type { Fault, FaultOptions } from "./faults.ts";
import type { Hold } from "./hold-gate.ts";
import type { LoopbackCertificate } from "./loopback-certificate.ts";
import { startMcpEdge } from "./mcp-edge.ts";
import { startOAuthProvider } from "./oauth-provider.ts";
import { type Approval, playBrowser } from "./play-browser.ts";
import type { SeenLog } from "./seen-log.ts";

/** An OAuth-protected MCP server of two replicas, and its authorization server. */
export interface McpUpstream {
  /** `https://localhost:PORT/mcp`, through the TLS edge. */
  readonly url: URL;
  /** The authorization server, `http://127.0.0.1:PORT/`. */
  readonly issuer: URL;
  /** Holds the next `count` tools/call requests at the edge, before their authorization is looked at. */
  holdToolCalls(count: number): Hold;
  /** Deletes every access token (not RFC 7009, which would end the refresh tokens too); says how many there were. */
  destroyAccessTokens(): Promise<number>;
  /** Lifetime of the access tokens issued from now on. */
  setAccessTokenTtl(seconds: number): void;
  /** The next request in any session answers 404, session not found. */
  dropSessions(): void;
  /** Refreshes are answered 400 with this OAuth error, and nothing is spent. */
  refuseRefresh(error: string | undefined): void;
  failRefresh(fault: Fault | undefined, options?: FaultOptions): void;
  /** Holds the next `count` refreshes before anything is spent. */
  holdRefreshes(count: number): Hold;
  /** Hits requests for the MCP endpoint, before their authorization is looked at. */
  failRequests(fault: Fault | undefined, options?: FaultOptions): void;
  /** Approves an authorization URL as a browser with automatic login would; resolves with the last page. */
  approve(authorizationUrl: string): Promise<Approval>;
  /** Refresh grants that arrived, refused and failed ones among them. */
  readonly refreshGrants: number;
}

export interface StartedMcpUpstream {
  readonly mcp: McpUpstream;
  close(): Promise<void>;
}

export interface McpUpstreamOptions {
  log: SeenLog;
  certificate: LoopbackCertificate;
  accessTokenTtlSeconds: number;
}

export async function startMcpUpstream(options: McpUpstreamOptions): Promise<StartedMcpUpstream> {
  const { log, certificate, accessTokenTtlSeconds } = options;
  const scope = "mcp:tools";
  // Each names the other in its metadata, so each reads the other's address only when asked.
  let resource = "";
  const provider = await startOAuthProvider({ log, scope, accessTokenTtlSeconds, resource: () => resource });
  const edge = await startMcpEdge({
    log,
    certificate,
    scope,
    issuer: () => provider.issuer.origin,
    isAccepted: (accessToken) => provider.isAccepted(accessToken),
  });
  resource = edge.url.href;

  return {
    mcp: {
      url: edge.url,
      issuer: provider.issuer,
      holdToolCalls: (count) => edge.callGate.hold(count),
      destroyAccessTokens: async () => provider.destroyAccessTokens(),
      setAccessTokenTtl: (seconds) => provider.setAccessTokenTtl(seconds),
      dropSessions: () => edge.dropSessions(),
      refuseRefresh: (error) => provider.refuseRefresh(error),
      failRefresh: (fault, faultOptions) => provider.refreshFaults.set(fault, faultOptions),
      holdRefreshes: (count) => provider.refreshGate.hold(count),
      failRequests: (fault, faultOptions) => edge.faults.set(fault, faultOptions),
      approve: playBrowser,
      get refreshGrants() {
        return provider.refreshGrants;
      },
    },
    async close() {
      provider.refreshGate.open();
      await Promise.all([edge.close(), provider.close()]);
    },
  };
}
