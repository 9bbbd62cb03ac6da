import type { Client } from "@modelcontextprotocol/client";
import { type CallTransport, callHeader } from "./call-transport.ts";
import type { McpCall } from "./mcp-call.ts";

/** Options of one SDK request made for a call. */
export interface CallRequestOptions {
  readonly signal: AbortSignal;
  readonly timeout: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface GenerationOptions {
  readonly client: Client;
  readonly transport: CallTransport;
  /** The calls of this generation, by the id they travel under. */
  readonly calls: Map<string, McpCall>;
  /** Ends the session at the server, within bounds. */
  readonly terminate: (transport: CallTransport) => Promise<void>;
}

/**
 * One session with the server, from initialize to DELETE. A lost session is not repaired: the next generation takes
 * over, and this one ends when the last call that uses it has ended.
 */
export class Generation {
  readonly client: Client;
  readonly #transport: CallTransport;
  readonly #calls: Map<string, McpCall>;
  readonly #terminate: (transport: CallTransport) => Promise<void>;
  readonly #ended: PromiseWithResolvers<void> = Promise.withResolvers();
  #users = 0;
  #nextCall = 0;
  #state: "current" | "retired" | "ending" = "current";
  #lost = false;

  constructor({ client, transport, calls, terminate }: GenerationOptions) {
    this.client = client;
    this.#transport = transport;
    this.#calls = calls;
    this.#terminate = terminate;
  }

  /** The server said that it does not know this session any more. */
  get isLost(): boolean {
    return this.#lost;
  }

  markLost(): void {
    this.#lost = true;
  }

  /** Runs one attempt of a call in this session. */
  async use<T>(
    call: McpCall,
    attempt: (client: Client, options: CallRequestOptions) => Promise<T>,
  ): Promise<T> {
    const id = String(this.#nextCall++);
    this.#calls.set(id, call);
    this.#users += 1;
    try {
      return await attempt(this.client, callRequestOptions(call, id));
    } finally {
      this.#calls.delete(id);
      this.#users -= 1;
      this.#endIfUnused();
    }
  }

  /** No new calls come here; resolves when the last one is gone and the session has ended. */
  retire(): Promise<void> {
    if (this.#state === "current") this.#state = "retired";
    this.#endIfUnused();
    return this.#ended.promise;
  }

  #endIfUnused(): void {
    if (this.#state !== "retired" || this.#users > 0) return;
    this.#state = "ending";
    this.#end().then(this.#ended.resolve, this.#ended.reject);
  }

  async #end(): Promise<void> {
    try {
      await this.#terminate(this.#transport);
    } finally {
      await this.client.close();
    }
  }
}

/** The call's own deadline counts; the SDK's must never fire first. */
export function callRequestOptions(call: McpCall, id: string): CallRequestOptions {
  return { signal: call.signal, timeout: 2_147_483_647, headers: { [callHeader]: id } };
}
