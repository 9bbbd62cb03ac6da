/** What this app promises; `conformance/` gathers it. */
export const promises = {
  "app-server/identity-of-the-sender": {
    promise:
      "A model request carries the originator and User-Agent of the connection that sent turn/start, whoever connected first or last, and on whoever's thread.",
    room: "app-server",
  },
  "app-server/every-caller-has-one": {
    promise:
      "Everything this process sends carries one whole identity: its client's where the work is a client's, the process's where it is everybody's, WebSocket handshakes included.",
    room: "app-server",
  },
  "app-server/identities-never-mix": {
    promise:
      "Any number of connections with interleaved turns, tool calls, retries and shared refreshes never lend each other an identity, and none has a say in another's.",
    room: "app-server",
  },
  "app-server/override-names-the-process": {
    promise: "The override variable names the process and no client; a value that is no name is ignored.",
    room: "app-server",
  },
  "app-server/affinity-of-the-sender": {
    promise:
      "Affinity cookies of a request that leaves through an exec-server are kept there; this process's jar has no part in it.",
    room: "app-server",
  },
  "app-server/challenge-is-final": {
    promise: "A Cloudflare challenge page in front of an MCP server ends its start at once, and is named.",
    room: "app-server",
  },
  "app-server/bounded-listener": {
    promise:
      "A client above the limit gets 503 before a WebSocket exists; one that sends no head, or does not initialise, is sent away in time and with a reason.",
    room: "app-server",
  },
  "app-server/no-silent-end": {
    promise: "A client on stdio that had to be disconnected learns it from a line on stderr and exit code 1.",
    room: "app-server",
  },
  "app-server/handshake": {
    promise:
      "Nothing but initialize is answered before initialize; a failed one may be tried again, a second is refused.",
    room: "app-server",
  },
  "app-server/guarded-listener": {
    promise:
      "A web page, a foreign Host and a client without the token are turned away before a message is read; health needs no token.",
    room: "app-server",
  },
  "app-server/no-open-door": {
    promise:
      "A WebSocket listener without authentication starts only on loopback and only when asked for in words.",
    room: "app-server",
  },
  "app-server/turn-order": {
    promise: "The events of a turn come in the protocol's order, each after the reply to turn/start.",
    room: "app-server",
  },
  "app-server/deltas-as-they-come": {
    promise: "A delta reaches the client before the upstream sends the next one.",
    room: "app-server",
  },
  "app-server/interrupt-reaches-upstream": {
    promise: "An interrupted turn gives its model request up and ends as interrupted.",
    room: "app-server",
  },
  "app-server/steering": {
    promise: "turn/start during a running turn adds to that turn and starts no second one.",
    room: "app-server",
  },
  "app-server/only-followers": {
    promise:
      "Events of a turn go only to connections that started or resumed its thread; a disconnect does not stop it.",
    room: "app-server",
  },
  "app-server/one-status": {
    promise:
      "getAuthStatus and account/read give the same answer about the login, after every way to log in and out.",
    room: "app-server",
  },
  "app-server/reply-before-news": {
    promise: "What follows from a request is told to everybody after its reply.",
    room: "app-server",
  },
  "app-server/refused-refresh-once": {
    promise:
      "A refused account refresh keeps the method, gives no token, and is sent once however often it is asked for.",
    room: "app-server",
  },
  "app-server/external-owner-asked": {
    promise: "Only the connection that handed tokens in is asked for their successor.",
    room: "app-server",
  },
  "app-server/tools-of-mcp-servers": {
    promise: "The model calls a tool of a protected MCP server and is told its result.",
    room: "app-server",
  },
  "app-server/environment-traffic": {
    promise: "Messages to an MCP server of an environment leave through its exec-server, on one replica.",
    room: "app-server",
  },
  "app-server/one-budget": {
    promise:
      "A model request is repeated from one budget, a 401 in between or not, and never for a challenge page.",
    room: "app-server",
  },
  "app-server/slow-client": {
    promise: "A client that does not read is disconnected with 1013 and costs the others nothing.",
    room: "app-server",
  },
  "app-server/clean-end": {
    promise: "SIGTERM and the end of stdin stop turns, say goodbye with 1001, leave no process and exit 0.",
    room: "app-server",
  },
  "app-server/no-secret-out": {
    promise: "No login, key or connection token stands in a log, an error or a file that is not its store.",
    room: "app-server",
  },
} as const;
