export const promises = {
  "mcp-http/recover-once": {
    promise:
      "A 401 is answered with one new token and one repetition, with or without a challenge; a second 401 is final.",
    room: "mcp-http",
  },
  "mcp-http/late-401-adopts": {
    promise:
      "A 401 for a token already replaced is answered by adopting the replacement; no refresh is sent.",
    room: "mcp-http",
  },
  "mcp-http/storm": {
    promise: "Fifty calls rejected at once succeed with one refresh.",
    room: "mcp-http",
  },
  "mcp-http/session-once": {
    promise:
      "A lost session is renewed once for a call, by one initialize for all calls; lost twice in a row is an error, and the next call works.",
    room: "mcp-http",
  },
  "mcp-http/recoveries-compose": {
    promise: "One token recovery and one session recovery work in either order within one call.",
    room: "mcp-http",
  },
  "mcp-http/nothing-after-deadline": {
    promise:
      "A call whose deadline passed or whose caller gave up is not repeated, its cancellation notice starts no refresh, and the refresh under way is kept.",
    room: "mcp-http",
  },
  "mcp-http/every-exchange-recovers": {
    promise:
      "A 401 for the event stream, for an answer to the server, or for the farewell is recovered once as well.",
    room: "mcp-http",
  },
  "mcp-http/inside-the-resource": {
    promise:
      "Token, session id and configured headers are sent to the configured URL and below it, nowhere else.",
    room: "mcp-http",
  },
  "mcp-http/insufficient-scope": {
    promise:
      "A 403 for want of a scope, in whichever challenge, is a typed error with the scope, not repeated, unless the token was replaced meanwhile.",
    room: "mcp-http",
  },
  "mcp-http/static-bearer": {
    promise: "A configured bearer that is rejected is an error at once: no refresh, no repetition.",
    room: "mcp-http",
  },
  "mcp-http/transient-keeps-login": {
    promise:
      "A refresh that fails for a transient reason is an error that says when to come back, never a call to log in.",
    room: "mcp-http",
  },
  "mcp-http/repeats-the-harmless": {
    promise:
      "Initialize and the list of tools are repeated twice after transient faults, 250 ms and 1 s apart; a tool call never is.",
    room: "mcp-http",
  },
  "mcp-http/close-is-bounded": {
    promise:
      "Closing ends calls under way with a typed error and the session with a DELETE, whether or not the server answers it.",
    room: "mcp-http",
  },
  "mcp-http/stream-without-answer": {
    promise: "A stream that ends before its answer ends the call with a typed error, not with its deadline.",
    room: "mcp-http",
  },
  "mcp-http/bounded-answer": {
    promise: "An answer larger than the limit is an error; one of exactly the limit is accepted.",
    room: "mcp-http",
  },
  "mcp-http/login": {
    promise:
      "A login finds the authorization server, registers a client, asks with PKCE, state and resource, and saves the tokens with what they are bound to.",
    room: "mcp-http",
  },
  "mcp-http/login-refuses-contradiction": {
    promise:
      "A login is refused when the metadata is for another resource, names another issuer, lacks S256, or points where a browser or a token must not go.",
    room: "mcp-http",
  },
  "mcp-http/login-callback": {
    promise:
      "Only the answer with the login's path, host, state and issuer ends it, once; everything else gets 400 and changes nothing.",
    room: "mcp-http",
  },
  "mcp-http/login-ends": {
    promise:
      "A login that is cancelled, not finished in time, or refused ends with a typed error and lets go of its port.",
    room: "mcp-http",
  },
  "mcp-http/refresh-pinned": {
    promise:
      "A refresh token is sent once, to the token endpoint pinned at login, with the resource and without a scope, whatever metadata says later.",
    room: "mcp-http",
  },
  "mcp-http/refresh-not-sent": {
    promise:
      "A refresh that cannot be sent, because metadata is missing, contradicts the login, or no connection opens, is reported as not sent.",
    room: "mcp-http",
  },
  "mcp-http/auth-status": {
    promise:
      "The status of a login is told from what is configured, then from what is stored, then from what the server offers, and is unknown where that fails.",
    room: "mcp-http",
  },
  "mcp-http/whose-request": {
    promise:
      "A call's requests carry its caller's operation and context; what belongs to the session carries nobody's, whoever came first.",
    room: "mcp-http",
  },
  "mcp-http/no-secret": {
    promise: "No token can be read in this package's errors, objects or causes.",
    room: "mcp-http",
  },
} as const;
