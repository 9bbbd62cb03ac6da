import { type ClientIdentity, identityKey } from "@hawser/client-identity";
import type { McpClient } from "@hawser/mcp-http";
import { Operation } from "@hawser/transport";
import type { McpServerConfig } from "../config/app-config.ts";
import { startFailureText } from "./mcp-refusal.ts";

export type McpTool = Awaited<ReturnType<McpClient["listTools"]>>[number];
export type McpToolResult = Awaited<ReturnType<McpClient["callTool"]>>;

export type McpServerState =
  | { readonly status: "starting" }
  | { readonly status: "ready"; readonly tools: readonly McpTool[] }
  | { readonly status: "failed"; readonly error: string };

export interface McpServerOptions {
  readonly config: McpServerConfig;
  /** A client that has connected to nothing yet; undefined for a kind of server that is not supported. */
  readonly createClient: (() => McpClient) | undefined;
}

/**
 * One configured server and the one session that this process keeps with it, for all threads and clients. It starts
 * when first needed, and again after a login.
 */
export class McpServer {
  readonly config: McpServerConfig;
  readonly #createClient: (() => McpClient) | undefined;
  #client: McpClient | undefined;
  #state: McpServerState = { status: "starting" };
  #starting: Promise<McpServerState> | undefined;

  constructor({ config, createClient }: McpServerOptions) {
    this.config = config;
    this.#createClient = createClient;
  }

  get name(): string {
    return this.config.name;
  }

  /** Tools that can be called now. */
  get tools(): readonly McpTool[] {
    return this.#state.status === "ready" ? this.#state.tools : [];
  }

  get isReady(): boolean {
    return this.#state.status === "ready";
  }

  /** What is under way, if anything is. */
  get starting(): Promise<McpServerState> | undefined {
    return this.#starting;
  }

  serverInfo(): ReturnType<McpClient["serverInfo"]> {
    return this.#client?.serverInfo();
  }

  /** Joins a start under way; one that failed is tried again. Never rejects. */
  start(): Promise<McpServerState> {
    if (this.#state.status === "ready") return Promise.resolve(this.#state);
    this.#starting ??= this.#open();
    return this.#starting;
  }

  /** Starts anew with what is logged in now. Calls under way on the old session end. */
  async restart(): Promise<McpServerState> {
    const old = this.#client;
    this.#client = undefined;
    this.#starting = undefined;
    this.#state = { status: "starting" };
    const started = this.start();
    await old?.close();
    return started;
  }

  /** One call for `identity`. Throws what the client throws. */
  async callTool(
    call: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> },
    { identity, signal }: { readonly identity: ClientIdentity; readonly signal: AbortSignal },
  ): Promise<McpToolResult> {
    await waitWhile(this.#starting, signal);
    this.#client ??= this.#createClient?.();
    if (this.#client === undefined) throw new Error(`${this.name} is not supported`);
    const timeoutMs = this.config.toolTimeoutMs;
    const operation = Operation.start({ label: "tools/call", timeoutMs }).with(identityKey, identity);
    return this.#client.callTool(call, { signal, timeoutMs, operation });
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  async #open(): Promise<McpServerState> {
    this.#client ??= this.#createClient?.();
    const client = this.#client;
    const state = await this.#connect(client);
    // A restart meanwhile made another client: its outcome counts, not this one.
    if (this.#client === client) {
      this.#state = state;
      this.#starting = undefined;
    }
    return state;
  }

  async #connect(client: McpClient | undefined): Promise<McpServerState> {
    if (client === undefined) {
      return { status: "failed", error: "not supported: only servers with a url are" };
    }
    try {
      await client.connect();
      return { status: "ready", tools: await client.listTools() };
    } catch (error) {
      return { status: "failed", error: startFailureText(this.name, error) };
    }
  }
}

/** Waits for a start that somebody else owns. */
async function waitWhile(work: Promise<unknown> | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (work === undefined) return;
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work, gaveUp]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
