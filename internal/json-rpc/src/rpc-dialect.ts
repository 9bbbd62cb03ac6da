import type { z } from "zod";
import { RpcError } from "./errors.ts";
import type { RpcId } from "./rpc-method.ts";

/** Why a message could not be taken as a request, a notification or a reply. */
export type UnreadableReason =
  | "not-json"
  | "too-deep"
  | "not-an-object"
  | "bad-id"
  | "no-method"
  | "bad-method";

/** What two protocols on the same framing say differently. Every member has a JSON-RPC 2.0 default. */
export interface RpcDialect {
  /**
   * What a message answers that is neither request, notification nor reply; `undefined`: nothing. The connection
   * stays. `id` is the message's own where it can be read. @defaultValue -32700 or -32600, id null
   */
  unreadable?:
    | ((
        reason: UnreadableReason,
        id: RpcId | undefined,
      ) => { readonly id: RpcId | null; readonly error: RpcError } | undefined)
    | undefined;
  /** @defaultValue -32601 */
  unknownMethod?: ((method: string) => RpcError) | undefined;
  /** `issue` is undefined when `params` is missing altogether. @defaultValue -32602 and where it went wrong */
  badParams?: ((method: string, issue: z.ZodError | undefined) => RpcError) | undefined;
  /** An error that is no `RpcError`: a fault of this side. Its text is not for the peer. @defaultValue -32603 */
  internalError?: ((method: string, error: unknown) => RpcError) | undefined;
  /** Above `maxWaitingRequests`: an error answers at once, "wait" stops reading. @defaultValue "wait" */
  readonly overloaded?: RpcError | "wait" | undefined;
  /** A notification nobody knows, or whose params do not parse. @defaultValue "ignore" */
  readonly unknownNotification?: "ignore" | "close" | undefined;
  /** A reply to a request this side did not make. @defaultValue "ignore" */
  readonly unexpectedReply?: "ignore" | "close" | undefined;
  /** Members that each notification carries beside method and params. @defaultValue none */
  notificationMembers?: (() => Readonly<Record<string, unknown>>) | undefined;
}

/** A dialect that says everything. */
export type CompleteDialect = { [K in keyof RpcDialect]-?: NonNullable<RpcDialect[K]> };

/** `dialect` with the JSON-RPC 2.0 answers where it says nothing. */
export function completeDialect(dialect: RpcDialect): CompleteDialect {
  return { ...standardDialect, ...definedMembers(dialect) };
}

const standardDialect: CompleteDialect = {
  unreadable: (reason, id) => ({
    id: id ?? null,
    error:
      reason === "not-json"
        ? new RpcError(-32700, "Parse error: not JSON")
        : new RpcError(-32600, `Invalid Request: ${unreadableTexts[reason]}`),
  }),
  unknownMethod: (method) => new RpcError(-32601, `Method not found: ${quoted(method)}`),
  badParams: (_method, issue) => new RpcError(-32602, `Invalid params: ${describeIssue(issue)}`),
  internalError: () => new RpcError(-32603, "Internal error"),
  overloaded: "wait",
  unknownNotification: "ignore",
  unexpectedReply: "ignore",
  notificationMembers: () => ({}),
};

function definedMembers(dialect: RpcDialect): Partial<CompleteDialect> {
  return Object.fromEntries(Object.entries(dialect).filter(([, value]) => value !== undefined));
}

/** Where the first problem is and what was expected, without the value that was sent. */
export function describeIssue(error: z.ZodError | undefined): string {
  const issue = error?.issues[0];
  if (issue === undefined) return "missing field `params`";
  const path = issue.path.map((part) => String(part).slice(0, 80)).join(".");
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

/** Text from the peer, safe to repeat to it and to log: short, and without control characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 120)).replaceAll(
    /[\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/gu,
    "?",
  );
}

const unreadableTexts: Readonly<Record<UnreadableReason, string>> = {
  "not-json": "not JSON",
  "too-deep": "nested too deeply",
  "not-an-object": "not an object",
  "bad-id": "the id is neither an integer nor a string",
  "no-method": "neither a method nor a reply",
  "bad-method": "the method is not a string",
};
