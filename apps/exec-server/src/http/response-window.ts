/** How much of a streamed body the client has room for. Without a window there is always room. */
export class ResponseWindow {
  #bytes: number;
  #wake: (() => void) | undefined;

  constructor(bytes: number | undefined) {
    this.#bytes = bytes ?? Number.POSITIVE_INFINITY;
  }

  /** The client has room for so much more. */
  open(bytes: number): void {
    this.#bytes += bytes;
    this.#wake?.();
  }

  /** Takes up to `wanted` bytes of room, waiting until there is any. Rejects when the signal aborts. */
  async take(wanted: number, signal: AbortSignal): Promise<number> {
    while (this.#bytes <= 0) {
      signal.throwIfAborted();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      signal.addEventListener("abort", resolve as () => void, { once: true });
      await promise;
      signal.removeEventListener("abort", resolve as () => void);
      this.#wake = undefined;
    }
    const taken = Math.min(wanted, this.#bytes);
    this.#bytes -= taken;
    return taken;
  }
}
