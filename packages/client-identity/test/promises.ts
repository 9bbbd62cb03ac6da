/** What client-identity promises. */
export const promises = {
  "client-identity/own-connection": {
    promise:
      "A request made for a connection carries its identity and no other, whichever client came first.",
    room: "client-identity",
  },
  "client-identity/background-follows": {
    promise: "Timers, background tasks and bound listeners started for a connection carry its identity.",
    room: "client-identity",
  },
  "client-identity/shared-work": {
    promise: "Work of the process, and a request outside every scope, carries the identity of the process.",
    room: "client-identity",
  },
  "client-identity/operation-wins": {
    promise: "An identity in the operation wins over the scope.",
    room: "client-identity",
  },
  "client-identity/caller-replaced": {
    promise: "Identity headers set by a caller are replaced, in any spelling.",
    room: "client-identity",
  },
  "client-identity/names": {
    promise:
      "A client name is 1 to 128 visible header characters; any other is refused in the reference's words.",
    room: "client-identity",
  },
  "client-identity/user-agent": {
    promise:
      "The User-Agent follows the reference's grammar in printable ASCII, and no client can forge another part.",
    room: "client-identity",
  },
  "client-identity/override": {
    promise: "The originator override changes the process identity and no client's.",
    room: "client-identity",
  },
  "client-identity/printable": {
    promise: "What a client sent is never printed with control, escape or bidirectional characters.",
    room: "client-identity",
  },
  "client-identity/first-party": {
    promise: "First-party tests look at the identity they are given, never at the process.",
    room: "client-identity",
  },
  "client-identity/immutable": {
    promise: "An identity never changes, and its headers are built once.",
    room: "client-identity",
  },
} as const;
