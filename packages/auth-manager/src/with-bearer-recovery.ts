import type { HttpRequest, TransportWrapper } from "@hawser/transport";
import { type AccountHandle, accountHeader } from "./account-handle.ts";
import { callerPatience } from "./caller-patience.ts";
import { AuthManagerError } from "./errors.ts";
import { isReplayable } from "./is-replayable.ts";

/** What this wrapper needs of whoever owns the login. An `AuthManager` is one. */
export interface BearerSource {
  /** What to send, or undefined when nobody is logged in. */
  auth(options?: { readonly signal?: AbortSignal | undefined }): Promise<AccountHandle | undefined>;
  /** Another handle than `rejected`, refreshing only if nobody has yet. */
  recover(
    rejected: AccountHandle,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<AccountHandle>;
}

/**
 * Sends each request with the account's bearer, and answers a 401 once: the login is recovered and the request sent a
 * second time, never a third. The rejection is charged to the token that was sent, so a late 401 finds the newer token
 * and refreshes nothing.
 *
 * Nothing is sent again when the login has no successor (an API key), when the body can be read only once (the login
 * is recovered all the same, for the next request), when what is left belongs to another account, or after the
 * operation's deadline. Throws `AuthManagerError`: `…_LOGIN_REQUIRED` when nobody is logged in, `…_REFUSED` when the
 * login has ended, `…_ACCOUNT_CHANGED`, `…_DEADLINE`.
 */
export function withBearerRecovery(source: BearerSource): TransportWrapper {
  return (next) => ({
    async send(request) {
      const patience = callerPatience(request);
      try {
        const sent = await source.auth({ signal: patience.signal });
        if (sent === undefined) throw loginRequired();
        patience.assert();
        const first = await next.send(authorized(request, sent));
        if (first.status !== 401 || !sent.replaceable || !carriedBearer(request, first.url)) return first;

        if (!isReplayable(request.body)) {
          // The caller gets the 401 either way; recovering only helps whoever asks next.
          await source.recover(sent, { signal: patience.signal }).catch(() => undefined);
          return first;
        }
        await first.cancel();
        const fresh = await source.recover(sent, { signal: patience.signal });
        if (!fresh.sameOwner(sent)) throw accountChanged();
        patience.assert();
        return await next.send(authorized(request, fresh));
      } finally {
        patience.end();
      }
    },
  });
}

/** The request with this handle's fields in place of any the caller had set: never one's bearer, another's account. */
function authorized(request: HttpRequest, handle: AccountHandle): HttpRequest {
  const others = request.headers.filter(([name]) => {
    const lower = name.toLowerCase();
    return lower !== "authorization" && lower !== accountHeader;
  });
  return { ...request, headers: [...others, ...handle.headers()] };
}

/** A hop to another origin was sent without the bearer: its 401 says nothing about the token. */
function carriedBearer(request: HttpRequest, answered: URL): boolean {
  return answered.origin === request.url.origin;
}

function loginRequired(): AuthManagerError {
  return new AuthManagerError("ERR_AUTH_MANAGER_LOGIN_REQUIRED", "Nobody is logged in.");
}

function accountChanged(): AuthManagerError {
  return new AuthManagerError(
    "ERR_AUTH_MANAGER_ACCOUNT_CHANGED",
    "The login that is left belongs to another account than the request.",
  );
}
