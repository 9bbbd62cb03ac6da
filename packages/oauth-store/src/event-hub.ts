import type { CredentialEvent } from "./credential-event.ts";

/** Tells listeners what happened, in the order in which they came. */
export class EventHub {
  readonly #listeners = new Set<(event: CredentialEvent) => unknown>();

  /** Returns the way to stop listening. */
  on(listener: (event: CredentialEvent) => unknown): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: CredentialEvent): void {
    for (const listener of [...this.#listeners]) {
      const drop = () => void this.#listeners.delete(listener);
      try {
        // What an async listener rejects with would end the process.
        Promise.resolve(listener(event)).catch(drop);
      } catch {
        drop(); // A listener cannot be allowed to break a transaction.
      }
    }
  }
}
