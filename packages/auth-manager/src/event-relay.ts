import type { CredentialEvent } from "@hawser/oauth-store";
import { wrongAccountMessage } from "./account-error.ts";
import type { AuthEvent } from "./auth-event.ts";
import { refusalMessage, refusalReason } from "./classify-refresh-failure.ts";

/**
 * Tells events of the stored credential in the account's words, and each fact once: the store says that a login has
 * ended to everybody who asks for a refresh, and that it was saved after every save.
 */
export class EventRelay {
  readonly #emit: (event: AuthEvent) => void;
  #ended = false;
  #unsaved = false;

  constructor(emit: (event: AuthEvent) => void) {
    this.#emit = emit;
  }

  hear(event: CredentialEvent): void {
    switch (event.type) {
      case "refreshed":
      case "adopted":
        this.#ended = false;
        this.#emit({ type: event.type, lineage: event.lineage, generation: event.generation });
        return;
      case "deferred":
        this.#emit({ type: "deferred", code: event.code, retryAtMs: event.retryAtMs });
        return;
      case "unpersisted":
        if (!this.#unsaved) this.#emit({ type: "unpersisted", code: event.code });
        this.#unsaved = true;
        return;
      case "persisted":
        if (this.#unsaved) this.#emit({ type: "persisted" });
        this.#unsaved = false;
        return;
      case "replaced":
        this.#ended = false;
        this.#emit({ type: "replaced", sameOwner: event.sameOwner });
        return;
      case "refused":
      case "interrupted":
        if (!this.#ended) this.#emit(endOf(event));
        this.#ended = true;
        return;
      case "loggedIn":
        // Told as the end of the login that it was.
        this.#ended = false;
        return;
      case "loggedOut":
        this.#ended = false;
        // This process's own logout is told once it is through.
        if (event.elsewhere) this.#emit({ type: "loggedOut", elsewhere: true });
        return;
      default:
        return;
    }
  }
}

function endOf(event: { readonly type: "refused" | "interrupted"; readonly code: string }): AuthEvent {
  const reason = refusalReason(event.code);
  if (event.code === "wrong-account") {
    return { type: "refused", code: "ERR_AUTH_MANAGER_WRONG_ACCOUNT", reason, message: wrongAccountMessage };
  }
  const code = event.type === "refused" ? "ERR_AUTH_MANAGER_REFUSED" : "ERR_AUTH_MANAGER_INTERRUPTED";
  return { type: "refused", code, reason, message: refusalMessage(reason) };
}
