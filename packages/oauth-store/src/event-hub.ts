import type { CredentialEvent } from "./credential-event.ts";

/** Tells listeners what happened, in the order in which they came. */
export class EventHub {
  readonly #listeners = new Set<(event: CredentialEvent) => void>();

  /** Returns the way to stop listening. */
  on(listener: (event: CredentialEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: CredentialEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch {
        this.#listeners.delete(listener); // A listener cannot be allowed to break a transaction.
      }
    }
  }
}
