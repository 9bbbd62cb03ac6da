/** What this room promises; each is proved by at least one test that names it. */
export const promises = {
  "json-rpc/any-text": {
    promise: "Any text at all is answered or ignored as the dialect says, and the connection stays.",
    room: "json-rpc",
  },
  "json-rpc/backpressure": {
    promise: "Queues are bounded by making their sender wait, never by dropping; every request is answered.",
    room: "json-rpc",
  },
  "json-rpc/clean-close": {
    promise: "Closing flushes what is queued, then says a code and a reason, and does not wait for ever.",
    room: "json-rpc",
  },
  "json-rpc/gone": {
    promise:
      "When the connection goes, running handlers are told and waiting ones never start; when only the peer's side ends, what is pending is answered.",
    room: "json-rpc",
  },
  "json-rpc/depth": {
    promise: "Nesting above 256 levels is refused by a linear scan, before anything is parsed.",
    room: "json-rpc",
  },
} as const;
