import type { CredentialEvent } from "@hawser/oauth-store";
import type { AuthEvent } from "./auth-event.ts";
import { refusalMessage, refusalReason } from "./classify-refresh-failure.ts";

/** What an event of the stored credential means for the account; undefined for what is told in another way. */
export function relayEvent(event: CredentialEvent): AuthEvent | undefined {
  switch (event.type) {
    case "refreshed":
    case "adopted":
      return { type: event.type, lineage: event.lineage, generation: event.generation };
    case "deferred":
      return { type: "deferred", code: event.code, retryAtMs: event.retryAtMs };
    case "unpersisted":
      return { type: "unpersisted", code: event.code };
    case "persisted":
      return { type: "persisted" };
    case "replaced":
      return { type: "replaced", sameOwner: event.sameOwner };
    case "refused":
    case "interrupted": {
      const reason = refusalReason(event.code);
      const code = event.type === "refused" ? "ERR_AUTH_MANAGER_REFUSED" : "ERR_AUTH_MANAGER_INTERRUPTED";
      return { type: "refused", code, reason, message: refusalMessage(reason) };
    }
    case "loggedOut":
      // This process's own logout is told once it is through.
      return event.elsewhere ? { type: "loggedOut", elsewhere: true } : undefined;
    default:
      return undefined;
  }
}
