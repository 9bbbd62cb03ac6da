import { createFaultSwitch, type FaultSwitch } from "./faults.ts";
import { createHoldGate, type HoldGate } from "./hold-gate.ts";
import type { LoopbackCertificate } from "./loopback-certificate.ts";
import { applyFault, type Exchange, sendJson, startLoopbackServer } from "./loopback-server.ts";
import { createMcpReplica } from "./mcp-replica.ts";
import type { SeenLog } from "./seen-log.ts";

export interface McpEdge {
  /** `https://localhost:PORT/mcp` */
  readonly url: URL;
  /** Tools/call requests stop here, before anybody looks at their authorization. */
  readonly callGate: HoldGate;
  /** Hits every request for the MCP endpoint, before anybody looks at its authorization. */
  readonly faults: FaultSwitch;
  dropSessions(): void;
  close(): Promise<void>;
}

export interface McpEdgeOptions {
  log: SeenLog;
  certificate: LoopbackCertificate;
  issuer: () => string;
  scope: string;
  isAccepted: (accessToken: string) => Promise<boolean>;
}

/**
 * A TLS edge before two replicas. It routes by the cookie `__cflb`, sets it when a request brings none, and gives such
 * requests to the replicas in turn; it serves the resource's metadata (RFC 9728) and answers 401 to unknown bearers.
 */
export async function startMcpEdge(options: McpEdgeOptions): Promise<McpEdge> {
  const { log, certificate, issuer, scope, isAccepted } = options;
  const replicas = [createMcpReplica("west"), createMcpReplica("east")] as const;
  const callGate = createHoldGate();
  const faults = createFaultSwitch();
  let turn = 0;

  const route = ({ seen, response }: Exchange) => {
    const wanted = /(?:^|;\s*)__cflb=([^;]*)/.exec(seen.headers["cookie"] ?? "")?.[1];
    const known = replicas.find((replica) => replica.name === wanted);
    if (known) return known;
    const next = replicas[turn % 2 === 0 ? 0 : 1];
    turn += 1;
    response.setHeader("set-cookie", `__cflb=${next.name}; Path=/; Secure; HttpOnly`);
    return next;
  };

  const handle = async (exchange: Exchange) => {
    const { seen, response, url } = exchange;
    const origin = `https://${url.host}`;
    if (seen.path === "/.well-known/oauth-protected-resource/mcp" && seen.method === "GET") {
      sendJson(response, 200, {
        resource: server.url.href,
        authorization_servers: [issuer()],
        scopes_supported: [scope],
        bearer_methods_supported: ["header"],
      });
      return;
    }
    if (seen.path !== "/mcp") return sendJson(response, 404, { error: "not_found" });
    if (seen.rpcMethod === "tools/call") await callGate.pass();
    if (applyFault(exchange, faults.take()) === "handled") return;
    const replica = route(exchange);
    seen.replica = replica.name;
    const bearer = /^bearer +(\S+)$/i.exec(seen.headers["authorization"] ?? "")?.[1];
    if (bearer === undefined || !(await isAccepted(bearer))) {
      const why = bearer === undefined ? "" : 'error="invalid_token", ';
      const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
      sendJson(
        response,
        401,
        { error: "invalid_token" },
        {
          "www-authenticate": `Bearer ${why}resource_metadata="${metadata}", scope="${scope}"`,
        },
      );
      return;
    }
    await replica.handle(exchange);
  };

  const listening = await startLoopbackServer({
    name: "mcp",
    log,
    tls: { key: certificate.key, cert: certificate.cert },
    handle,
  });
  const server = { url: new URL("/mcp", listening.origin) };
  const dropSessions = () => {
    for (const replica of replicas) replica.dropSessions();
  };

  return {
    url: server.url,
    callGate,
    faults,
    dropSessions,
    async close() {
      callGate.open();
      dropSessions();
      await listening.close();
    },
  };
}
