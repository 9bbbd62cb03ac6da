import { z } from "zod";
import { RpcError } from "./errors.ts";
import type { RpcId } from "./rpc-method.ts";

const errorShape = z.object({ code: z.number(), message: z.string(), data: z.unknown().optional() });

/** The requests this side made and has no answer to yet. */
export class OutgoingRequests {
  readonly #pending = new Map<
    RpcId,
    { resolve: (value: unknown) => void; reject: (error: unknown) => void }
  >();
  #nextId = 0;
  #gone: Error | undefined;

  /** A new id and its reply. Aborting leaves the answer, when it comes, unread. */
  open(signal: AbortSignal | undefined): { id: number; reply: Promise<unknown> } {
    const id = this.#nextId++;
    if (this.#gone !== undefined) return { id, reply: Promise.reject(this.#gone) };
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject });
    if (signal === undefined) return { id, reply: promise };
    const onAbort = (): void => this.fail(id, signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const reply = promise.finally(() => signal.removeEventListener("abort", onAbort));
    return { id, reply };
  }

  /** Whether the reply belongs to a request that was made, waited for or given up. */
  settle(reply: { id: RpcId | null; result: unknown; error: unknown }): boolean {
    const { id, result, error } = reply;
    const pending = id === null ? undefined : this.#pending.get(id);
    if (id === null || pending === undefined) {
      return typeof id === "number" && Number.isInteger(id) && id >= 0 && id < this.#nextId;
    }
    this.#pending.delete(id);
    if (error === undefined || error === null) pending.resolve(result);
    else pending.reject(readError(error));
    return true;
  }

  fail(id: number, error: unknown): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.reject(error);
  }

  failAll(error: Error): void {
    this.#gone = error;
    for (const id of [...this.#pending.keys()]) this.fail(Number(id), error);
  }
}

function readError(error: unknown): RpcError {
  const parsed = errorShape.safeParse(error);
  if (!parsed.success) return new RpcError(-32603, "the peer answered with a malformed error");
  const { code, message, data } = parsed.data;
  return new RpcError(code, message, data);
}
