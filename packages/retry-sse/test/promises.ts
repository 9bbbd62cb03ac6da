/** What retry-sse promises. */
export const promises = {
  "retry-sse/any-chunking": {
    promise: "The same bytes give the same events, whatever the pieces they arrive in.",
    room: "retry-sse",
  },
  "retry-sse/standard-events": {
    promise:
      "Events are read as the HTML standard says: byte order mark, LF, CR and CRLF, comments, ids, many data lines.",
    room: "retry-sse",
  },
  "retry-sse/two-silences": {
    promise:
      "A keep-alive resets the silence of bytes and not the wait for an event; each has its own error.",
    room: "retry-sse",
  },
  "retry-sse/slow-consumer": {
    promise: "Bytes are taken only while somebody waits for an event, and a slow consumer trips no timeout.",
    room: "retry-sse",
  },
  "retry-sse/event-size": {
    promise: "An event over maxEventBytes, finished or not, is a typed error after the events before it.",
    room: "retry-sse",
  },
  "retry-sse/terminal": {
    promise: "A declared last event ends the stream and frees the source without waiting for the socket.",
    room: "retry-sse",
  },
  "retry-sse/ended-early": {
    promise: "The end of the bytes is an error only when a last event was declared and did not come.",
    room: "retry-sse",
  },
  "retry-sse/cancel": {
    promise:
      "Leaving a stream, or giving it up by signal, frees the source at once, also while a read is waiting.",
    room: "retry-sse",
  },
  "retry-sse/retry-after": {
    promise:
      "What a server asks to wait is read in every form; above the cap it fails at once and tells the time.",
    room: "retry-sse",
  },
  "retry-sse/never-without-delay": {
    promise: "Nothing is sent again without a wait, whatever the server or the policy says.",
    room: "retry-sse",
  },
  "retry-sse/said-never": {
    promise: "An error that says retry never is not repeated, whatever the policy says.",
    room: "retry-sse",
  },
  "retry-sse/one-budget": {
    promise:
      "A persistent 500 under a request layer and a stream layer with defaults makes at most 6 requests.",
    room: "retry-sse",
  },
  "retry-sse/idempotent-only": {
    promise:
      "A POST is sent once unless it says that it is idempotent; so is a body that can be read only once.",
    room: "retry-sse",
  },
  "retry-sse/deadline": {
    promise: "Nothing is sent after the deadline of its operation, nor after its caller gave up.",
    room: "retry-sse",
  },
  "retry-sse/discarded": {
    promise: "A response that is not returned is cancelled before the wait.",
    room: "retry-sse",
  },
  "retry-sse/no-replay": {
    promise: "A stream is not opened again once an event was delivered, unless the caller says so.",
    room: "retry-sse",
  },
  "retry-sse/resume": {
    promise: "A stream that may resume is opened again with the id of the last event that was delivered.",
    room: "retry-sse",
  },
  "retry-sse/policy": {
    promise:
      "A policy bounds retries in count, time, method, status and code, spreads waits as it says, and hears of each.",
    room: "retry-sse",
  },
  "retry-sse/classes": {
    promise:
      "A fault is permanent, auth, throttle, transient or connection; of these the last three are repeated.",
    room: "retry-sse",
  },
  "retry-sse/content-type": {
    promise: "What is no event stream is not parsed; the error says its type and how it begins.",
    room: "retry-sse",
  },
  "retry-sse/event-rate": {
    promise:
      "Events that come faster than maxEventsPerSecond are a typed error after the events before them.",
    room: "retry-sse",
  },
  "retry-sse/end-wait": {
    promise:
      "After the declared last event the body may end for a bounded while, so that its connection serves again.",
    room: "retry-sse",
  },
  "retry-sse/random-bytes": {
    promise: "No bytes crash the reader, keep it from ending, or make it hold more than its limit.",
    room: "retry-sse",
  },
  "retry-sse/leaves-nothing": {
    promise: "Streams that are given up leave no socket and no memory behind.",
    room: "retry-sse",
  },
  "retry-sse/loads-nothing-else": {
    promise: "Taking only the parser, or only the retries, loads no HTTP client and nothing of the other.",
    room: "retry-sse",
  },
} as const;
