/** What this room promises; each is proved by at least one test that names it. */
export const promises = {
  "transport/sends-once": {
    promise:
      "A request is sent once: no redirect is followed and nothing is sent again, also after a broken connection.",
    room: "transport",
  },
  "transport/limits": {
    promise:
      "Connecting, the response head, silence in the body, the whole exchange and the body's size each have a limit with its own error code.",
    room: "transport",
  },
  "transport/deadline": {
    promise:
      "Nothing is sent after the operation's deadline, also when the connection is only ready after it.",
    room: "transport",
  },
  "transport/abort": {
    promise:
      "A caller who gives up before the request was begun has sent nothing; one who gives up later closes the connection.",
    room: "transport",
  },
  "transport/request-bodies": {
    promise:
      "Bytes, strings, JSON, async iterables and web streams arrive as they were given; what can be read once is sent once.",
    room: "transport",
  },
  "transport/headers": {
    promise:
      "Header fields go out and come in in their order, with repeats kept, and values beyond ASCII survive.",
    room: "transport",
  },
  "transport/body-once": {
    promise:
      "A response body is read once; a second reading and one after cancel() are errors, never an empty body.",
    room: "transport",
  },
  "transport/body-released": {
    promise: "A body that is cancelled, left early or dropped unread gives up its connection.",
    room: "transport",
  },
  "transport/body-bounded": {
    promise: "A slow reader holds back the sender: what is buffered for it stays bounded.",
    room: "transport",
  },
  "transport/decompression": {
    promise:
      "With decompress, bodies in zstd, br and gzip, two of them at most, are undone as they come; one that is not what it says is an error.",
    room: "transport",
  },
  "transport/decompression-bounded": {
    promise:
      "What comes out of a compressed body is counted and its ratio bounded: 658 bytes do not become 300 MB, nor does a small frame claim a large window.",
    room: "transport",
  },
  "transport/events": {
    promise:
      "Every request, attempt, redirect and body end is published on a diagnostics channel, with durations and sizes and without secrets.",
    room: "transport",
  },
  "transport/tracing": {
    promise:
      "With @opentelemetry/api installed every sending has a span and carries its trace context; without it nothing is missing.",
    room: "transport",
  },
  "transport/faults": {
    promise: "An error's code tells what failed, and `sent` whether the request can have reached the server.",
    room: "transport",
  },
  "transport/no-secrets": {
    promise: "No error and no inspected response shows a header, a body, userinfo or a query value.",
    room: "transport",
  },
  "transport/redirect-rules": {
    promise:
      "Redirects change method and body as HTTP says, at most 10 times; what cannot be sent again is not.",
    room: "transport",
  },
  "transport/redirect-credentials": {
    promise:
      "Credentials and the headers a caller calls sensitive do not follow a redirect to another origin.",
    room: "transport",
  },
  "transport/redirect-downgrade": {
    promise: "A redirect from https to http is refused, and so is one to another scheme.",
    room: "transport",
  },
  "transport/redirect-hops": {
    promise:
      "Every hop passes the wrappers nested inside withRedirects, and the body of each redirect is given up.",
    room: "transport",
  },
  "transport/prepared": {
    promise:
      "A prepared request is serialised and compressed once and puts the same bytes on the wire each time.",
    room: "transport",
  },
  "transport/proxy": {
    promise:
      "https goes through the proxy of the environment by CONNECT and http by forwarding; NO_PROXY and loopback go without.",
    room: "transport",
  },
  "transport/proxy-faults": {
    promise:
      "A proxy that cannot be reached, refuses, stalls or wants other credentials is told apart from the server.",
    room: "transport",
  },
  "transport/trust": {
    promise:
      "CA bundles from the named variables are added to the authorities Node trusts; a bad one is an error that names the variable and the file.",
    room: "transport",
  },
  "transport/egress": {
    promise:
      "An egress policy judges the address that a connection is made to, on every hop: neither a URL, a name, a redirect nor a name that changes reaches one it denies.",
    room: "transport",
  },
  "transport/mutual-tls": {
    promise:
      "A client certificate is shown to servers that ask for one; one that cannot be used is an error without its key.",
    room: "transport",
  },
  "transport/http2": {
    promise:
      "With http2, https servers that speak it are spoken to in HTTP/2, with the same limits, bodies and errors.",
    room: "transport",
  },
  "transport/socks": {
    promise:
      "A SOCKS5 proxy of the environment carries http and https, resolves the names, and gets its own credentials.",
    room: "transport",
  },
  "transport/fresh": {
    promise: "With fresh connections no connection ever carries a second request.",
    room: "transport",
  },
  "transport/to-fetch": {
    promise:
      "toFetch is a fetch: real Responses with lazy bodies, aborts with the signal's reason, redirects as init says.",
    room: "transport",
  },
  "transport/from-fetch": {
    promise: "fromFetch makes a transport of a fetch, with the limits that fetch lets one keep.",
    room: "transport",
  },
  "transport/scripted": {
    promise: "scriptedTransport answers from its script, records what was sent, and opens no socket.",
    room: "transport",
  },
} as const;
