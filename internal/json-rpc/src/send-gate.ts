import type { RpcClosedError } from "./errors.ts";

const ready = Promise.resolve();

/** Counts bytes on their way out; whoever sends above the bound waits until the count is at half of it. */
export class SendGate {
  readonly #maxBytes: number;
  #bytes = 0;
  #closed: RpcClosedError | undefined;
  #waiting: { resolve: () => void; reject: (error: RpcClosedError) => void }[] = [];
  #drained: (() => void)[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  subtract(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#waiting.length > 0 && this.#bytes <= this.#maxBytes / 2) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const { resolve } of waiting) resolve();
    }
    if (this.#bytes <= 0) this.#release();
  }

  /** Resolves at once below the bound, else when there is room again; rejects when closed first. */
  room(): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#bytes <= this.#maxBytes) return ready;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ resolve, reject });
    return promise;
  }

  /** Resolves when nothing is queued, or when closed. */
  drained(): Promise<void> {
    if (this.#bytes <= 0 || this.#closed !== undefined) return ready;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained.push(resolve);
    return promise;
  }

  close(error: RpcClosedError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
    this.#release();
  }

  #release(): void {
    const drained = this.#drained;
    this.#drained = [];
    for (const resolve of drained) resolve();
  }
}
