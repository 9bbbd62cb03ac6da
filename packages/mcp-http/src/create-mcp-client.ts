import { AsyncLocalStorage } from "node:async_hooks";
import type { HeaderList, HttpTransport, Operation } from "@hawser/transport";
import { isTransportError } from "@hawser/transport";
import type {
  CallToolResult,
  Client,
  ClientCapabilities,
  Implementation,
  ServerCapabilities,
  Tool,
} from "@modelcontextprotocol/client";
import type { BearerSource } from "./bearer-source.ts";
import { isMcpHttpError, McpHttpError } from "./errors.ts";
import type { CallRequestOptions, Generation } from "./generation.ts";
import { McpCall } from "./mcp-call.ts";
import { openGeneration } from "./open-generation.ts";
import { repeatTransient } from "./repeat-transient.ts";

export interface McpClientOptions {
  /** Says which server is meant, in errors. */
  readonly serverName: string;
  readonly url: string | URL;
  /** Sends the requests, once each. */
  readonly transport: HttpTransport;
  /** The login at this server. Without it, or before somebody logs in, requests carry no token. */
  readonly session?: BearerSource | undefined;
  /** Sent with every request. With an `authorization` among them, `session` is not used. @defaultValue none */
  readonly headers?: HeaderList | undefined;
  /** Who we say we are in `initialize`. */
  readonly clientInfo: Implementation;
  /** @defaultValue none */
  readonly capabilities?: ClientCapabilities | undefined;
  /** Registers handlers on each new session's client, before it connects. @defaultValue none */
  readonly configure?: ((client: Client) => void) | undefined;
  /** For a call that names no limit of its own. @defaultValue 60_000 */
  readonly callTimeoutMs?: number | undefined;
  /** One initialize with its repetitions; waiting for a fresh token before it does not count. @defaultValue 30_000 */
  readonly connectTimeoutMs?: number | undefined;
  /** Longest wait for the DELETE that ends a session. @defaultValue 5_000 */
  readonly closeTimeoutMs?: number | undefined;
  /** Longest wait for a new token where no caller has a deadline. @defaultValue 30_000 */
  readonly recoveryWaitMs?: number | undefined;
  /** Longest answer to one POST, events included; 0 for no limit. @defaultValue 67_108_864 */
  readonly maxResponseBytes?: number | undefined;
}

export interface McpCallLimits {
  /** The caller gives up. */
  readonly signal?: AbortSignal | undefined;
  /** From now until nothing more is sent for this call. @defaultValue the client's `callTimeoutMs` */
  readonly timeoutMs?: number | undefined;
  /** The operation the caller works in: its deadline and what it carries reach every request of this call. */
  readonly operation?: Operation | undefined;
}

export interface McpServerInfo {
  readonly name: string;
  readonly version: string;
  readonly title?: string | undefined;
  readonly protocolVersion: string;
  readonly capabilities: ServerCapabilities;
  readonly instructions?: string | undefined;
}

/** A client of one MCP server. Every method throws `McpHttpError`, or the SDK's error for what the server answered. */
export interface McpClient extends AsyncDisposable {
  /** Initializes now instead of with the first call. */
  connect(limits?: McpCallLimits): Promise<McpServerInfo>;
  /** Every page of the server's tools. Repeated after a transient fault, within its deadline. */
  listTools(limits?: McpCallLimits): Promise<readonly Tool[]>;
  /** Sent once; again only after a 401 or a lost session, once each, and never after its deadline. */
  callTool(
    call: { readonly name: string; readonly arguments?: Readonly<Record<string, unknown>> | undefined },
    limits?: McpCallLimits,
  ): Promise<CallToolResult>;
  /** What the server said of itself; undefined while there is no session. */
  serverInfo(): McpServerInfo | undefined;
  /** Ends calls that are under way with `ERR_MCP_HTTP_CLOSED` and the session with a DELETE, within bounds. */
  close(): Promise<void>;
}

/**
 * Makes a client of one MCP server over HTTP. It keeps one session and renews it when the server drops it, sends the
 * login's token and replaces it when the server rejects it: each at most once for a call, in either order, and nothing
 * after the call's deadline.
 *
 * Sessions and their event streams run in the async context in which the client was made: make it outside of any one
 * caller's.
 */
export function createMcpClient(options: McpClientOptions): McpClient {
  return new RenewingClient(options);
}

class RenewingClient implements McpClient {
  readonly #options: McpClientOptions;
  readonly #callTimeoutMs: number;
  readonly #calls = new Set<McpCall>();
  readonly #ending = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  /** Sessions belong to everybody: they start in the context of whoever made this client, not of the first caller. */
  readonly #asOwner = AsyncLocalStorage.snapshot();
  #current: Promise<Generation> | undefined;
  #serverInfo: McpServerInfo | undefined;

  constructor(options: McpClientOptions) {
    this.#options = options;
    this.#callTimeoutMs = options.callTimeoutMs ?? 60_000;
  }

  connect(limits: McpCallLimits = {}): Promise<McpServerInfo> {
    return this.#perform("initialize", limits, async (client) => serverInfoOf(client));
  }

  listTools(limits: McpCallLimits = {}): Promise<readonly Tool[]> {
    return this.#perform("tools/list", limits, async (client, options) => {
      if (client.getServerCapabilities()?.tools === undefined) return [];
      const { tools } = await repeatTransient(() => client.listTools({}, options), options.signal);
      return tools;
    });
  }

  callTool(
    call: { readonly name: string; readonly arguments?: Readonly<Record<string, unknown>> | undefined },
    limits: McpCallLimits = {},
  ): Promise<CallToolResult> {
    const { name, arguments: args = {} } = call;
    return this.#perform(
      "tools/call",
      limits,
      (client, options) =>
        client.callTool({ name, arguments: { ...args } }, options) as Promise<CallToolResult>,
    );
  }

  serverInfo(): McpServerInfo | undefined {
    return this.#serverInfo;
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      const closed = new McpHttpError("ERR_MCP_HTTP_CLOSED", `the client of ${this.#name} was closed`);
      this.#closing.abort(closed);
      for (const call of this.#calls) call.fail(closed);
      if (this.#current !== undefined) this.#endLater(this.#current);
      this.#current = undefined;
      this.#serverInfo = undefined;
    }
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #name(): string {
    return JSON.stringify(this.#options.serverName);
  }

  /** One call: at most two sessions, and in each at most what the bearer seam allows this call. */
  async #perform<T>(
    label: string,
    limits: McpCallLimits,
    attempt: (client: Client, options: CallRequestOptions) => Promise<T>,
  ): Promise<T> {
    const call = new McpCall({ label, timeoutMs: this.#callTimeoutMs, ...defined(limits) });
    this.#calls.add(call);
    if (this.#closing.signal.aborted) call.fail(this.#closing.signal.reason as Error);
    try {
      const first = await call.waitFor(this.#session());
      try {
        return await call.waitFor(first.use(call, attempt));
      } catch (error) {
        if (!isMcpHttpError(error, "ERR_MCP_HTTP_SESSION_EXPIRED") || !call.takeSessionRecovery())
          throw error;
      }
      const second = await call.waitFor(this.#session());
      return await call.waitFor(second.use(call, attempt));
    } catch (error) {
      throw call.failure ?? pastDeadline(call, error) ?? error;
    } finally {
      call.end();
      this.#calls.delete(call);
    }
  }

  /** The session of now: joins the one being opened, replaces a lost one. */
  #session(): Promise<Generation> {
    const previous = this.#current;
    const next =
      previous === undefined
        ? this.#open()
        : previous.then(
            (generation) => (generation.isLost ? this.#replace(previous) : generation),
            // Whoever waited for it got the error; the next call tries again.
            () => this.#replace(previous),
          );
    return next;
  }

  #replace(previous: Promise<Generation>): Promise<Generation> {
    // Somebody may have replaced it while we waited.
    if (this.#current !== previous) return this.#session();
    this.#endLater(previous);
    return this.#open();
  }

  #open(): Promise<Generation> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason);
    const opening = this.#asOwner(() => openGeneration(this.#options, this.#closing.signal));
    this.#current = opening;
    opening.then(
      (generation) => {
        if (this.#current === opening) this.#serverInfo = serverInfoOf(generation.client);
      },
      () => {
        // Reported to everyone who waits for `opening`; forgotten here so that the next call starts anew.
        if (this.#current === opening) this.#current = undefined;
      },
    );
    return opening;
  }

  /** Lets go of a session without making anybody wait for its end, except `close`. */
  #endLater(session: Promise<Generation>): void {
    const ending = session
      .then((generation) => generation.retire())
      // A session that never opened, or an end that failed, leaves nothing to do: the server forgets it by itself.
      .catch(() => {})
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}

function serverInfoOf(client: Client): McpServerInfo {
  const { name = "", version = "", title } = client.getServerVersion() ?? {};
  const instructions = client.getInstructions();
  return Object.freeze({
    name,
    version,
    ...(title === undefined ? {} : { title }),
    protocolVersion: client.getNegotiatedProtocolVersion() ?? "",
    capabilities: client.getServerCapabilities() ?? {},
    ...(instructions === undefined ? {} : { instructions }),
  });
}

/** The wire watches the deadline too, and may see it pass first. */
function pastDeadline(call: McpCall, error: unknown): McpHttpError | undefined {
  if (!isTransportError(error) || call.operation.remainingMs() > 0) return undefined;
  return new McpHttpError("ERR_MCP_HTTP_TIMEOUT", `timed out awaiting ${call.label}`);
}

function defined(limits: McpCallLimits): McpCallLimits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
