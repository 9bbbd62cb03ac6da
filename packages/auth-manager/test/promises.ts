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
  "auth-manager/refresh-form": {
    promise: "A refresh goes out in the account's own form, with its reason, under the process's name.",
    room,
  },
  "auth-manager/issuer-pinned": {
    promise: "A refresh token is never shown to another issuer than the one that gave it.",
    room,
  },
  "auth-manager/device-rhythm": {
    promise: "A device login asks no more often than the server wants, and never more than once a second.",
    room,
  },
  "auth-manager/one-login": {
    promise: "One login waits for a person at a time; starting another ends it.",
    room,
  },
  "auth-manager/cancelled-login": {
    promise: "What a cancelled login brings is given back, never installed.",
    room,
  },
  "auth-manager/one-refresh": {
    promise:
      "One refresh is sent for a rejected token, however many requests and processes were rejected with it.",
    room,
  },
  "auth-manager/late-401": {
    promise: "A 401 for a token already replaced is answered with the replacement; nothing is refreshed.",
    room,
  },
  "auth-manager/background": {
    promise: "Inside its window a token that is still good is used at once, and refreshed in the background.",
    room,
  },
  "auth-manager/refused-once": {
    promise:
      "A refused refresh is sent once, across callers, polls and processes; the method stays, the token is null.",
    room,
  },
  "auth-manager/wrong-account": {
    promise: "A refresh answered for another account changes nothing and is not repeated before a new login.",
    room,
  },
  "auth-manager/transient": {
    promise: "A refresh that fails for now leaves the old token in use and the login untouched.",
    room,
  },
  "auth-manager/status-is-quiet": {
    promise: "A status waits for no lock and sends nothing unless a refresh is asked for.",
    room,
  },
  "auth-manager/browser-login": {
    promise: "A browser login ends with a stored login; no token ever stands in an address.",
    room,
  },
  "auth-manager/mix-up": {
    promise: "A callback that names another authorization server ends the login; its code is not exchanged.",
    room,
  },
  "auth-manager/device-login": {
    promise: "A device login ends with a stored login once the code is typed.",
    room,
  },
  "auth-manager/logout": {
    promise:
      "A logout removes the login from the store and has it revoked, and holds when the server cannot be told.",
    room,
  },
  "auth-manager/logout-wins": {
    promise: "A refresh under way does not bring a login back that was logged out.",
    room,
  },
  "auth-manager/external-in-memory": {
    promise: "Credentials that somebody else keeps fresh come first and never reach the disk.",
    room,
  },
  "auth-manager/storm": {
    promise: "50 requests rejected together are answered with one refresh and at most one more send each.",
    room,
  },
  "auth-manager/no-secret": {
    promise: "No error, event, status, handle or inspected object shows a token, a code or an API key.",
    room,
  },
} as const;
