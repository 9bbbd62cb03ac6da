import type { ClientConnection } from "../connections/client-connection.ts";
import { notificationText } from "../connections/notification-text.ts";
import type { ModelItem } from "../model/model-item.ts";
import { addUsage, noUsage, type TokenUsage } from "../model/token-usage.ts";
import type { Turn, TurnView } from "./turn.ts";
import { uuidV7 } from "./uuid-v7.ts";

export type ThreadStatus =
  | { readonly type: "idle" }
  | { readonly type: "systemError" }
  | { readonly type: "active"; readonly activeFlags: readonly never[] };

export interface ThreadOptions {
  readonly model: string;
  readonly modelProvider: string;
  readonly instructions: string;
  readonly cwd: string;
  readonly ephemeral: boolean;
  readonly cliVersion: string;
  /** Who started it, for the record; each turn carries its own sender's identity. */
  readonly originator: string;
}

/** One conversation, in memory: who follows it, what was said, and at most one running turn. */
export class Thread {
  readonly id: string = uuidV7();
  readonly options: ThreadOptions;
  /** What the model is sent of the past. */
  readonly history: ModelItem[] = [];
  readonly #createdAtMs = Date.now();
  readonly #subscribers = new Set<ClientConnection>();
  readonly #turns: Turn[] = [];
  #updatedAtMs = this.#createdAtMs;
  #status: ThreadStatus = { type: "idle" };
  #activeTurn: Turn | undefined;
  #preview = "";
  #usage: TokenUsage = noUsage;

  constructor(options: ThreadOptions) {
    this.options = options;
  }

  get status(): ThreadStatus {
    return this.#status;
  }

  get activeTurn(): Turn | undefined {
    return this.#activeTurn;
  }

  get updatedAtMs(): number {
    return this.#updatedAtMs;
  }

  get isFollowed(): boolean {
    return this.#subscribers.size > 0;
  }

  subscribe(connection: ClientConnection): void {
    this.#subscribers.add(connection);
  }

  unsubscribe(connection: ClientConnection): boolean {
    return this.#subscribers.delete(connection);
  }

  /** Tells those who follow the thread, in one serialisation. */
  publish(method: string, params: object): void {
    if (this.#subscribers.size === 0) return;
    const text = notificationText(method, params);
    for (const connection of this.#subscribers) connection.deliver(method, text);
  }

  setStatus(status: ThreadStatus): void {
    this.#status = status;
    this.#updatedAtMs = Date.now();
  }

  /** Makes `turn` the running one; the caller has seen that there is none. */
  begin(turn: Turn, preview: string): void {
    this.#activeTurn = turn;
    this.#turns.push(turn);
    if (this.#preview === "") this.#preview = preview.slice(0, 200);
  }

  /** From here on a new turn may start. */
  finish(turn: Turn): void {
    if (this.#activeTurn === turn) this.#activeTurn = undefined;
    this.#updatedAtMs = Date.now();
  }

  addUsage(last: TokenUsage): { readonly total: TokenUsage; readonly last: TokenUsage } {
    this.#usage = addUsage(this.#usage, last);
    return { total: this.#usage, last };
  }

  /** The thread as clients are shown it. */
  view(turns: "without-turns" | "with-turns"): Record<string, unknown> {
    const { modelProvider, cwd, ephemeral, cliVersion, originator } = this.options;
    return {
      id: this.id,
      sessionId: this.id,
      preview: this.#preview,
      ephemeral,
      modelProvider,
      createdAt: Math.floor(this.#createdAtMs / 1000),
      updatedAt: Math.floor(this.#updatedAtMs / 1000),
      status: this.#status,
      path: null,
      cwd,
      cliVersion,
      source: "appServer",
      originator,
      gitInfo: null,
      name: null,
      turns: turns === "with-turns" ? this.#turns.map((turn): TurnView => turn.view("full")) : [],
    };
  }
}
