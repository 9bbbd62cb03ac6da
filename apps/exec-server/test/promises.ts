/** What this app promises; each is proved by at least one test that names it. */
export const promises = {
  "exec-server/one-line": {
    promise: "The bound URL is the only thing the server writes to stdout.",
    room: "exec-server",
  },
  "exec-server/closed-by-default": {
    promise: "No WebSocket listener starts without auth, also on loopback, unless a flag says so.",
    room: "exec-server",
  },
  "exec-server/who-comes-in": {
    promise:
      "Browsers, foreign Hosts, other paths and bad bearers are turned away before a WebSocket exists; a signed bearer must be HS256, unexpired and meant for this server.",
    room: "exec-server",
  },
  "exec-server/handshake": {
    promise: "Nothing is answered before the handshake is complete, and each wrong step has its own error.",
    room: "exec-server",
  },
  "exec-server/resume": {
    promise:
      "A lost connection can take up its session again and read what it missed; a session that is unknown or taken has a typed error.",
    room: "exec-server",
  },
  "exec-server/sequence": {
    promise:
      "Output, exit and close of a process arrive in one sequence from 1 without gaps, behind the answer to its start.",
    room: "exec-server",
  },
  "exec-server/slow-reader": {
    promise: "A client that stops reading stops the process, costs bounded memory, and loses nothing.",
    room: "exec-server",
  },
  "exec-server/terminal": {
    promise: "A process can run on a terminal and be written to; a write that is repeated is applied once.",
    room: "exec-server",
  },
  "exec-server/fail-closed": {
    promise: "A process that is to be sandboxed is refused, not run unconfined.",
    room: "exec-server",
  },
  "exec-server/child-environment": {
    promise: "A child gets exactly the environment it was given, or what the policy lets through.",
    room: "exec-server",
  },
  "exec-server/whole-group": {
    promise: "Terminate, shutdown and the end of stdin kill the whole process group; a shutdown says 1001.",
    room: "exec-server",
  },
  "exec-server/concurrent": {
    promise: "A slow request delays no other of the same connection.",
    room: "exec-server",
  },
  "exec-server/http": {
    promise:
      "An HTTP request is sent as it was asked, buffered or streamed, redirects followed or not; what cannot be sent is refused with its reason.",
    room: "exec-server",
  },
  "exec-server/http-cancel": {
    promise:
      "A cancelled or abandoned HTTP request, and one whose connection went, closes its upstream connection.",
    room: "exec-server",
  },
  "exec-server/http-errors": {
    promise:
      "A failed request says which failure it was, and never the value of a query, a header or a body.",
    room: "exec-server",
  },
  "exec-server/affinity": {
    promise:
      "Affinity is kept by the process that sends: across connections, for allowed hosts over https, under allowed names.",
    room: "exec-server",
  },
  "exec-server/affinity-contract": {
    promise:
      "Four clients of one process that call the plugin service share its affinity: the first cookie comes back, the next replaces it, session cookies are discarded, no other host gets any, on every hop, buffered and streamed.",
    room: "exec-server",
  },
  "exec-server/bounded-listener": {
    promise:
      "A client above the limit gets 503 before a WebSocket exists; one that sends no head, or no handshake, is sent away in time and with a reason.",
    room: "exec-server",
  },
  "exec-server/remote-transport": {
    promise:
      "A remote transport behaves as a local one: many requests side by side, streamed bodies at the reader's speed, abort, deadlines and typed errors.",
    room: "exec-server",
  },
  "exec-server/stdio-drain": {
    promise: "On stdio, what was asked before the end of stdin is answered before the server ends.",
    room: "exec-server",
  },
  "exec-server/no-secrets": {
    promise: "No bearer, header or query value stands in a log line, an error or an inspected connection.",
    room: "exec-server",
  },
} as const;
