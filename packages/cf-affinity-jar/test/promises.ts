/** What cf-affinity-jar promises. */
export const promises = {
  "cf-affinity-jar/returns": {
    promise:
      "An affinity cookie set by an allowed host comes back on the next request, and a later value replaces it.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/names": {
    promise:
      "Only cookies under allowed names are kept, exactly and with their case; sessions are discarded.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/hosts": {
    promise: "Cookies are kept for and sent to allowed hosts over https, and nowhere else.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/own-hosts": {
    promise: "Another deployment names its own hosts; a list that does not name hosts is refused.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/public-suffix": {
    promise: "A cookie for a public suffix or a foreign domain is refused.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/caller-wins": {
    promise: "A caller's own cookie header goes out alone and unchanged.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/no-empty-header": {
    promise: "A request for which there is nothing to send gets no cookie header.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/any-status": {
    promise: "Set-Cookie counts whatever the status of the response.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/bounded": {
    promise: "The jar is bounded in count and bytes and forgets the cookie set longest ago first.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/order": {
    promise: "Cookies are sent in one order: longest path first, then the one set first.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/no-values": {
    promise: "Inspecting, printing or serializing a jar or an error shows no cookie value.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/interceptor": {
    promise: "The undici interceptor does what the transport wrapper does.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/challenge": {
    promise: "A Cloudflare challenge becomes a typed error that no retry repeats.",
    room: "cf-affinity-jar",
  },
  "cf-affinity-jar/memory-only": {
    promise: "The jar loads nothing that could write to disk or open a connection.",
    room: "cf-affinity-jar",
  },
} as const;
