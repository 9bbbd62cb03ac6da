import type { CredentialHandle } from "@hawser/oauth-store";
import type { BearerView } from "./bearer-source.ts";

type Handle = CredentialHandle<BearerView>;

/** More than a client has under way at once with different tokens. */
const kept = 16;

/** The tokens given to a client, newest last, so that what comes back can be charged to the one that was sent. */
export class HandedOut {
  readonly #byToken = new Map<string, Handle>();

  /** Notes the handle and returns its token. */
  give(handle: Handle): string {
    const { accessToken } = handle.view;
    this.#byToken.delete(accessToken);
    this.#byToken.set(accessToken, handle);
    for (const oldest of this.#byToken.keys()) {
      if (this.#byToken.size <= kept) break;
      this.#byToken.delete(oldest);
    }
    return accessToken;
  }

  /** The handle whose token a request carries. */
  sentWith(init: RequestInit | undefined): Handle | undefined {
    const value = init?.headers === undefined ? null : new Headers(init.headers).get("authorization");
    return value?.startsWith("Bearer ") === true
      ? this.#byToken.get(value.slice("Bearer ".length))
      : undefined;
  }

  find(matches: (handle: Handle) => boolean): Handle | undefined {
    return [...this.#byToken.values()].findLast(matches);
  }
}
