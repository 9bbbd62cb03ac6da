const room = "auth-manager";

/** What this package promises. Each is proved by at least one test that names it. */
export const promises = {
  "auth-manager/failure-table": {
    promise: "Only the authorization server's own word ends a login; every other failure is transient.",
    room,
  },
  "auth-manager/refresh-ahead": {
    promise: "A token is replaced ten minutes before its end, measured from when it was received.",
    room,
  },
  "auth-manager/answers-checked": {
    promise: "An answer without a usable token, or for another account or user, is never installed.",
    room,
  },
  "auth-manager/unknown-fields": {
    promise: "Fields of auth.json that this package does not know survive every save.",
    room,
  },
  "auth-manager/safe-addresses": {
    promise: "Secrets go only to https addresses, or to http on loopback.",
    room,
  },
  "auth-manager/one-handle": {
    promise: "Bearer and account header of a request always belong to the same login.",
    room,
  },
  "auth-manager/two-sends": { promise: "A request is sent at most twice for a rejected token.", room },
  "auth-manager/body-once": {
    promise: "A body that can be read once is not sent again; the login is recovered for the next request.",
    room,
  },
  "auth-manager/same-account": {
    promise: "A request prepared for one account is never sent with another account's bearer.",
    room,
  },
  "auth-manager/deadline": { promise: "Nothing is sent again after the operation's deadline.", room },
  "auth-manager/external-once": {
    promise: "Whoever keeps credentials fresh is asked once, however many requests were rejected.",
    room,
  },
  "auth-manager/state": {
    promise: "A browser callback without the login's own state changes nothing.",
    room,
  },
  "auth-manager/callback-host": {
    promise: "The browser callback answers only for the literal loopback host it listens on.",
    room,
  },
  "auth-manager/no-secret": {
    promise: "No error, event, status, handle or inspected object shows a token, a code or an API key.",
    room,
  },
} as const;
