import type { TurnError } from "../model/turn-error.ts";
import type { ThreadItem } from "./thread-item.ts";
import type { UserMessage } from "./turn-input.ts";
import { uuidV7 } from "./uuid-v7.ts";

export type TurnStatus = "inProgress" | "completed" | "interrupted" | "failed";

export interface TurnView {
  readonly id: string;
  readonly items: readonly ThreadItem[];
  readonly itemsView: "notLoaded" | "summary" | "full";
  readonly status: TurnStatus;
  readonly error: TurnError | null;
  /** Seconds since the epoch. */
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly durationMs: number | null;
}

/** One turn: what it was asked, what came of it, and the way to stop it. */
export class Turn {
  readonly id: string = uuidV7();
  readonly #abort = new AbortController();
  readonly #items: ThreadItem[] = [];
  readonly #waiting: UserMessage[] = [];
  #status: TurnStatus = "inProgress";
  #error: TurnError | null = null;
  #startedAtMs: number | undefined;
  #completedAtMs: number | undefined;

  constructor(first: UserMessage) {
    this.#waiting.push(first);
  }

  /** Aborts when the turn is interrupted. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get status(): TurnStatus {
    return this.#status;
  }

  interrupt(): void {
    this.#abort.abort(new DOMException("the turn was interrupted", "AbortError"));
  }

  /** Adds a message to a running turn; the model sees it with its next request. */
  steer(message: UserMessage): void {
    this.#waiting.push(message);
  }

  /** Messages nobody has sent to the model yet; empties the queue. */
  takeWaiting(): UserMessage[] {
    return this.#waiting.splice(0);
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  record(item: ThreadItem): void {
    this.#items.push(item);
  }

  start(): void {
    this.#startedAtMs = Date.now();
  }

  end(status: Exclude<TurnStatus, "inProgress">, error: TurnError | null = null): void {
    this.#status = status;
    this.#error = error;
    this.#completedAtMs = Date.now();
  }

  /** `full` for reading a thread, `summary` for the end of a turn: its last answer. */
  view(itemsView: TurnView["itemsView"]): TurnView {
    const [started, completed] = [this.#startedAtMs, this.#completedAtMs];
    return {
      id: this.id,
      items: this.#itemsFor(itemsView),
      itemsView,
      status: this.#status,
      error: this.#error,
      startedAt: seconds(started),
      completedAt: seconds(completed),
      durationMs: started === undefined || completed === undefined ? null : completed - started,
    };
  }

  #itemsFor(itemsView: TurnView["itemsView"]): readonly ThreadItem[] {
    if (itemsView === "notLoaded") return [];
    if (itemsView === "full") return [...this.#items];
    const last = this.#items.findLast((item) => item.type === "agentMessage");
    return this.#status === "completed" && last !== undefined ? [last] : [];
  }
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.floor(ms / 1000);
}
