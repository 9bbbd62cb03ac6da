import { type ScriptedAnswer, type SeenHttpRequest, startScriptedServer } from "@hawser/test-kit";

interface TinyMessage {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly arguments?: Record<string, unknown> };
}

interface TinyExchange {
  readonly seen: SeenHttpRequest;
  readonly message: TinyMessage | undefined;
  /** `POST initialize`, `POST tools/call`, `POST response`, `GET`, `DELETE`. */
  readonly what: string;
  readonly bearer: string | undefined;
}

export interface TinyMcpServer extends AsyncDisposable {
  readonly url: URL;
  /** What arrived, with the bearer it carried: `POST tools/call A`. */
  readonly log: readonly string[];
  readonly seen: readonly SeenHttpRequest[];
  waitFor(count: number, what: string): Promise<void>;
  /** Bearers that are let in; undefined lets everybody in. */
  accepted: Set<string> | undefined;
  /** Sessions the server knows. Emptied: each is answered 404. */
  readonly sessions: Set<string>;
  /** Answers before anything else is looked at. */
  before:
    | ((exchange: TinyExchange) => ScriptedAnswer | undefined | Promise<ScriptedAnswer | undefined>)
    | undefined;
}

/** An MCP server of a few lines on real HTTP that records who asked for what. */
export async function startTinyMcpServer(): Promise<TinyMcpServer> {
  const log: string[] = [];
  const sessions = new Set<string>();
  let nextSession = 1;
  const server = await startScriptedServer({
    handler: async (seen) => {
      const exchange = describe(seen);
      log.push(`${exchange.what}${exchange.bearer === undefined ? "" : ` ${exchange.bearer}`}`);
      const early = await tiny.before?.(exchange);
      if (early !== undefined) return early;
      if (tiny.accepted !== undefined && !tiny.accepted.has(exchange.bearer ?? "")) {
        return { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' } };
      }
      return answer(exchange);
    },
  });

  const answer = ({ seen, message, what }: TinyExchange): ScriptedAnswer => {
    const result = (value: unknown, headers = {}) => ({
      headers,
      json: { jsonrpc: "2.0", id: message?.id, result: value },
    });
    if (what === "POST initialize") {
      const session = `session-${nextSession++}`;
      sessions.add(session);
      return result(
        {
          protocolVersion: "2025-06-18",
          capabilities: { tools: {} },
          serverInfo: { name: "tiny", version: "1.0.0" },
        },
        { "mcp-session-id": session },
      );
    }
    if (!sessions.has(seen.headers["mcp-session-id"] ?? "")) return { status: 404 };
    if (what === "GET") return { status: 405 };
    if (what === "DELETE") return { status: 200 };
    if (what === "POST tools/list")
      return result({ tools: [{ name: "echo", inputSchema: { type: "object" } }] });
    if (what === "POST tools/call") {
      return result({ content: [{ type: "text", text: JSON.stringify(message?.params?.arguments ?? {}) }] });
    }
    return { status: 202 };
  };

  const tiny: TinyMcpServer = {
    url: new URL("/mcp", server.url),
    log,
    seen: server.seen,
    accepted: undefined,
    sessions,
    before: undefined,
    async waitFor(count, what) {
      await server.waitFor(count, (seen) => describe(seen).what === what);
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
  return tiny;
}

function describe(seen: SeenHttpRequest): TinyExchange {
  const bearer = seen.headers["authorization"]?.slice("Bearer ".length);
  const message = seen.body === "" ? undefined : (JSON.parse(seen.body) as TinyMessage);
  const what = seen.method === "POST" ? `POST ${message?.method ?? "response"}` : seen.method;
  return { seen, message, what, bearer };
}
