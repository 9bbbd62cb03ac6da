import { inspect } from "node:util";
import { SecretLabels } from "./secret-labels.ts";

export type UpstreamServer = "oauth" | "account" | "mcp" | "model";

/**
 * One request as it arrived. The real headers and body can be read; printing one (inspect, JSON, a test's diff) shows
 * each secret as its label instead, such as `<refresh#2>`: the second refresh token this upstream issued.
 */
export class SeenRequest {
  readonly server: UpstreamServer;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly atMs: number;
  /** Which connection of that server carried it; 1 is the first one accepted. */
  readonly connection: number;
  /** The JSON-RPC method of an MCP message. */
  readonly rpcMethod: string | undefined;
  /** The OAuth grant of a token request. */
  readonly grant: string | undefined;
  /** Label of the credential presented: the bearer, or what a token request spends. `unknown` when never issued. */
  readonly credential: string | undefined;
  /** Status answered; undefined while the answer is open, and for ever when the connection was cut. */
  status: number | undefined;
  /** Which MCP replica answered. */
  replica: string | undefined;
  readonly #secret: { headers: Record<string, string>; query: URLSearchParams; body: unknown };
  readonly #labels: SecretLabels;

  constructor(facts: SeenFacts, labels: SecretLabels) {
    const { bodyJson } = facts;
    this.server = facts.server;
    this.method = facts.method;
    this.path = facts.path;
    this.atMs = facts.atMs;
    this.connection = facts.connection;
    this.rpcMethod = facts.server === "mcp" ? textField(bodyJson, "method") : undefined;
    this.grant = facts.server === "mcp" ? undefined : textField(bodyJson, "grant_type");
    this.#secret = { headers: facts.headers, query: facts.query, body: bodyJson };
    this.#labels = labels;
    const bearer = /^bearer +(\S+)$/i.exec(facts.headers["authorization"] ?? "")?.[1];
    const presented =
      bearer ??
      textField(bodyJson, "refresh_token") ??
      textField(bodyJson, "code") ??
      textField(bodyJson, "token");
    this.credential =
      presented === undefined || (facts.server === "mcp" && bearer === undefined)
        ? undefined
        : (labels.labelOf(presented) ?? "unknown");
  }

  /** Names in lower case. */
  get headers(): Readonly<Record<string, string>> {
    return this.#secret.headers;
  }

  get query(): URLSearchParams {
    return this.#secret.query;
  }

  /** The body as JSON; a form as an object of its fields; undefined when there was none. */
  get bodyJson(): unknown {
    return this.#secret.body;
  }

  /** Everything, with secrets replaced by their labels. */
  printable(): Record<string, unknown> {
    const { server, method, path, rpcMethod, grant, credential, status, replica, connection, atMs } = this;
    return {
      ...{ server, method, path, rpcMethod, grant, credential, status, replica, connection, atMs },
      headers: this.#labels.redact(this.#secret.headers),
      bodyJson: this.#labels.redact(this.#secret.body),
    };
  }

  toJSON(): Record<string, unknown> {
    return this.printable();
  }

  [inspect.custom](): unknown {
    return this.printable();
  }
}

export interface SeenFacts {
  server: UpstreamServer;
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  bodyJson: unknown;
  connection: number;
  atMs: number;
}

export interface SeenLog {
  readonly seen: readonly SeenRequest[];
  readonly labels: SecretLabels;
  add(facts: SeenFacts): SeenRequest;
  /** Notes how a request was answered, so that those who wait look again. */
  answered(seen: SeenRequest, status: number): void;
  waitFor(predicate: (seen: SeenRequest) => boolean, options?: WaitForOptions): Promise<SeenRequest>;
  close(): void;
}

export interface WaitForOptions {
  /** Looks only at requests from this place in `seen` on: `{ from: upstream.seen.length }` at what is still to come. @defaultValue 0 */
  from?: number | undefined;
  /** Gives up the wait, rejecting with its reason. */
  signal?: AbortSignal | undefined;
}

export interface SeenLogOptions {
  onAnswered?: ((seen: SeenRequest) => void) | undefined;
}

export function createSeenLog(options: SeenLogOptions = {}): SeenLog {
  const { onAnswered = () => {} } = options;
  const seen: SeenRequest[] = [];
  const labels = new SecretLabels();
  const watchers = new Set<() => void>();
  let closed = false;
  const changed = () => {
    for (const check of [...watchers]) check();
  };
  return {
    seen,
    labels,
    add(facts) {
      const one = new SeenRequest(facts, labels);
      seen.push(one);
      changed();
      return one;
    },
    answered(one, status) {
      one.status = status;
      onAnswered(one);
      changed();
    },
    waitFor(predicate, { from = 0, signal } = {}) {
      return new Promise((resolve, reject) => {
        const settle = (act: () => void) => {
          watchers.delete(check);
          signal?.removeEventListener("abort", onAbort);
          act();
        };
        const onAbort = () => settle(() => reject(signal?.reason));
        const check = () => {
          const found = seen.find((one, index) => index >= from && predicate(one));
          if (found) settle(() => resolve(found));
          else if (closed) settle(() => reject(new Error("the upstream closed before such a request came")));
          else if (signal?.aborted) onAbort();
        };
        watchers.add(check);
        signal?.addEventListener("abort", onAbort);
        check();
      });
    },
    close() {
      closed = true;
      changed();
    },
  };
}

function textField(body: unknown, name: string): string | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const value = (body as Record<string, unknown>)[name];
  return typeof value === "string" ? value : undefined;
}
