import type { AuthEvent, AuthEventListener } from "./auth-event.ts";

/** Tells listeners what happened. A listener that throws is not heard again: an event has nobody to report to. */
export class AuthEvents {
  readonly #listeners = new Set<AuthEventListener>();

  on(listener: AuthEventListener): () => void {
    // A wrapper of its own, so that one function may listen twice and stop once.
    const entry: AuthEventListener = (event) => listener(event);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  emit(event: AuthEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch {
        this.#listeners.delete(listener);
      }
    }
  }
}
