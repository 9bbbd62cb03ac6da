/** What a POST to an MCP server carries. `cancellation` is the notice that a request is no longer wanted. */
export type MessageKind = "initialize" | "request" | "notification" | "cancellation" | "response" | "other";

export interface MessageFacts {
  readonly kind: MessageKind;
  /** Id of a request, or of the request that a cancellation names. */
  readonly id?: string | number | undefined;
}

/** Reads one JSON-RPC message, or the first of a batch. */
export function messageFacts(message: unknown): MessageFacts {
  const first: unknown = Array.isArray(message) ? message[0] : message;
  if (typeof first !== "object" || first === null) return { kind: "other" };
  const { method, id, params } = first as {
    method?: unknown;
    id?: unknown;
    params?: { requestId?: unknown };
  };
  if (typeof method !== "string") return { kind: isId(id) ? "response" : "other" };
  if (isId(id)) return { kind: method === "initialize" ? "initialize" : "request", id };
  if (method !== "notifications/cancelled") return { kind: "notification" };
  const named: unknown = params?.requestId;
  return { kind: "cancellation", id: isId(named) ? named : undefined };
}

/** As `messageFacts`, from the text of a body. */
export function bodyFacts(body: unknown): MessageFacts {
  if (typeof body !== "string") return { kind: "other" };
  try {
    return messageFacts(JSON.parse(body));
  } catch {
    // Not JSON: the server will say so.
    return { kind: "other" };
  }
}

function isId(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}
