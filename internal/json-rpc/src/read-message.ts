import { isDeeperThan } from "./json-depth.ts";
import type { UnreadableReason } from "./rpc-dialect.ts";
import type { RpcId } from "./rpc-method.ts";

/** A message taken apart: what kind it is, with its parts not yet trusted. */
export type Message =
  | { readonly kind: "request"; readonly id: RpcId; readonly method: string; readonly params: unknown }
  | { readonly kind: "notification"; readonly method: string; readonly params: unknown }
  | { readonly kind: "reply"; readonly id: RpcId | null; readonly result: unknown; readonly error: unknown }
  | { readonly kind: "unreadable"; readonly reason: UnreadableReason; readonly id: RpcId | undefined };

/** Levels of nesting accepted in a message; deeper ones are refused before they are parsed. */
const MAX_JSON_DEPTH = 256;

/** Takes a message apart. Total: any text at all yields one of the four kinds. */
export function readMessage(text: string): Message {
  if (isDeeperThan(text, MAX_JSON_DEPTH)) return unreadable("too-deep");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return unreadable("not-json");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return unreadable("not-an-object");
  // Own members only: a message must not borrow one from a prototype.
  const id = own(value, "id");
  const method = own(value, "method");
  const known = id === undefined || isRpcId(id) ? id : undefined;
  if (method === undefined) {
    const error = own(value, "error");
    const isReply = error !== undefined || Object.hasOwn(value, "result");
    if (!isReply) return unreadable("no-method", known);
    if (known === undefined && id !== null) return unreadable("bad-id");
    return { kind: "reply", id: known ?? null, result: own(value, "result"), error };
  }
  if (typeof method !== "string") return unreadable("bad-method", known);
  const params = own(value, "params");
  if (!Object.hasOwn(value, "id")) return { kind: "notification", method, params };
  if (known === undefined) return unreadable("bad-id");
  return { kind: "request", id: known, method, params };
}

function own(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function isRpcId(id: unknown): id is RpcId {
  return typeof id === "string" || Number.isSafeInteger(id);
}

function unreadable(reason: UnreadableReason, id?: RpcId): Message {
  return { kind: "unreadable", reason, id };
}
