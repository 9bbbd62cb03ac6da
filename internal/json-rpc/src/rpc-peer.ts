import { setMaxListeners } from "node:events";
import { RpcClosedError, RpcError } from "./errors.ts";
import type { MessageChannel } from "./message-channel.ts";
import { OutgoingRequests } from "./outgoing-requests.ts";
import { type Message, readMessage } from "./read-message.ts";
import { type CompleteDialect, completeDialect, type RpcDialect } from "./rpc-dialect.ts";
import type { RpcContext, RpcId, RpcMethod } from "./rpc-method.ts";
import { Slots } from "./slots.ts";

export interface RpcPeerOptions {
  readonly channel: MessageChannel;
  /** By method name; a `Map`, so that no name reaches a prototype. */
  readonly methods: ReadonlyMap<string, RpcMethod>;
  /** Handled one after the other: a handler that returns a promise holds up what comes behind it. */
  readonly notifications?: ReadonlyMap<string, RpcMethod> | undefined;
  /**
   * Refuses a known request whose parameters parsed, before it is handled: handshake state, capabilities. Throw an
   * `RpcError`.
   */
  readonly admit?: ((method: string, params: unknown) => void) | undefined;
  /** What this protocol says where others differ. @defaultValue JSON-RPC 2.0 */
  readonly dialect?: RpcDialect | undefined;
  /** Requests being answered at once, their replies' way out included; above it they wait. @defaultValue 64 */
  readonly maxConcurrentRequests?: number | undefined;
  /** Requests waiting for their turn; above it `dialect.overloaded` decides. @defaultValue 256 */
  readonly maxWaitingRequests?: number | undefined;
  /** After the peer said no more: how long what is pending may take to be answered. @defaultValue 30_000 */
  readonly drainTimeoutMs?: number | undefined;
}

/** One side of a connection: answers requests, sends its own. */
export interface RpcPeer {
  /** Rejects with `RpcError` (the peer's answer), `RpcClosedError`, or the signal's reason. */
  request(
    method: string,
    params: unknown,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<unknown>;
  /** Resolves when there is room for more: await it between pieces of a stream. Rejects when closed. */
  notify(method: string, params: unknown): Promise<void>;
  /** Flushes what is queued, then closes. Handlers still running are told by their signal and go unanswered. */
  close(code?: number, reason?: string): Promise<void>;
  /** Resolves when the connection is gone and every handler has returned. Never rejects. */
  readonly closed: Promise<void>;
  /** Aborts when the connection goes, with an `RpcClosedError`. */
  readonly signal: AbortSignal;
}

/** Starts answering on `channel`. Handlers run side by side; replies leave in the order they are ready. */
export function createRpcPeer(options: RpcPeerOptions): RpcPeer {
  return new Peer(options);
}

class Peer implements RpcPeer {
  readonly closed: Promise<void>;
  readonly #channel: MessageChannel;
  readonly #methods: ReadonlyMap<string, RpcMethod>;
  readonly #notifications: ReadonlyMap<string, RpcMethod>;
  readonly #admit: (method: string, params: unknown) => void;
  readonly #dialect: CompleteDialect;
  readonly #slots: Slots;
  readonly #maxWaiting: number;
  readonly #drainTimeoutMs: number;
  readonly #gone = new AbortController();
  readonly #outgoing = new OutgoingRequests();

  constructor(options: RpcPeerOptions) {
    this.#channel = options.channel;
    this.#methods = options.methods;
    this.#notifications = options.notifications ?? new Map();
    this.#admit = options.admit ?? (() => {});
    this.#dialect = completeDialect(options.dialect ?? {});
    this.#slots = new Slots(options.maxConcurrentRequests ?? 64);
    this.#maxWaiting = options.maxWaitingRequests ?? 256;
    this.#drainTimeoutMs = options.drainTimeoutMs ?? 30_000;
    // Every request in flight may listen; that is no leak.
    setMaxListeners(0, this.#gone.signal);
    this.closed = this.#run();
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  async request(
    method: string,
    params: unknown,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<unknown> {
    const { signal } = options;
    signal?.throwIfAborted();
    const { id, reply } = this.#outgoing.open(signal);
    try {
      const text = JSON.stringify({ id, method, params });
      this.#channel.send(text).catch((error: unknown) => this.#outgoing.fail(id, error));
    } catch (error) {
      this.#outgoing.fail(id, error);
    }
    return reply;
  }

  notify(method: string, params: unknown): Promise<void> {
    return this.#channel.send(JSON.stringify({ method, params, ...this.#dialect.notificationMembers() }));
  }

  close(code?: number, reason?: string): Promise<void> {
    return this.#channel.close(code, reason);
  }

  async #run(): Promise<void> {
    const gone = this.#channel.closed.then(({ code, reason }) => {
      const error = new RpcClosedError({ closeCode: code, reason });
      this.#gone.abort(error);
      this.#outgoing.failAll(error);
    });
    for await (const text of this.#channel.messages) {
      // What comes back is a reason to stop reading: an error on its way out, a serial message, a full house.
      const stop = this.#take(readMessage(text));
      if (stop !== undefined) await stop;
      if (this.#gone.signal.aborted) break;
    }
    // The peer says no more but may still listen: what it asked is answered first.
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#drainTimeoutMs);
    await Promise.race([this.#slots.idle(), gone, late]);
    clearTimeout(timer);
    await this.#channel.close(1000);
    await gone;
    await this.#slots.idle();
  }

  #take(message: Message): Promise<unknown> | undefined {
    switch (message.kind) {
      case "request":
        return this.#takeRequest(message.id, message.method, message.params);
      case "notification":
        return this.#takeNotification(message.method, message.params);
      case "reply":
        if (this.#outgoing.settle(message) || this.#dialect.unexpectedReply === "ignore") return undefined;
        return this.#channel.close(1002, "reply to a request that was not made");
      case "unreadable": {
        const answer = this.#dialect.unreadable(message.reason, message.id);
        return answer === undefined ? undefined : this.#sendError(answer.id, answer.error);
      }
    }
  }

  #takeRequest(id: RpcId, name: string, params: unknown): Promise<unknown> | undefined {
    const method = this.#methods.get(name);
    if (method === undefined) return this.#sendError(id, this.#dialect.unknownMethod(name));
    if (this.#slots.waiting >= this.#maxWaiting && this.#dialect.overloaded !== "wait") {
      return this.#sendError(id, this.#dialect.overloaded);
    }
    const answered = this.#slots.run(() => this.#answer(id, name, method, params));
    if (method.serial === true) return answered;
    return this.#slots.waiting > this.#maxWaiting ? this.#slots.room(this.#maxWaiting) : undefined;
  }

  async #answer(id: RpcId, name: string, method: RpcMethod, params: unknown): Promise<void> {
    // It waited for its turn, and the connection went meanwhile.
    if (this.#gone.signal.aborted) return;
    const after: (() => void)[] = [];
    let text: string;
    try {
      const parsed = this.#parse(name, method, params);
      this.#admit(name, parsed);
      const result = await method.handle(parsed, this.#context(id, after));
      text = JSON.stringify({ id, result: result === undefined ? {} : result });
    } catch (error) {
      // Nobody is left to answer.
      if (this.#gone.signal.aborted) return;
      text = errorText(id, error instanceof RpcError ? error : this.#dialect.internalError(name, error));
    }
    const sent = this.#send(text);
    for (const task of after) task();
    await sent;
  }

  #takeNotification(name: string, params: unknown): Promise<unknown> | undefined {
    const method = this.#notifications.get(name);
    try {
      if (method === undefined) throw new RpcError(-32601, "unknown notification");
      const result = method.handle(this.#parse(name, method, params), this.#context(undefined, []));
      if (!(result instanceof Promise)) return undefined;
      return result.catch((error: unknown) => this.#failedNotification(name, error));
    } catch (error) {
      return this.#failedNotification(name, error);
    }
  }

  #failedNotification(name: string, error: unknown): Promise<void> | undefined {
    if (!(error instanceof RpcError)) this.#dialect.internalError(name, error);
    else if (this.#dialect.unknownNotification === "close") return this.#channel.close(1002, error.message);
    return undefined;
  }

  #parse(name: string, method: RpcMethod, params: unknown): unknown {
    const missing = params === undefined || params === null;
    if (missing && method.paramsOptional !== true) throw this.#dialect.badParams(name, undefined);
    const parsed = method.params.safeParse(missing ? {} : params);
    if (!parsed.success) throw this.#dialect.badParams(name, parsed.error);
    return parsed.data;
  }

  #context(id: RpcId | undefined, after: (() => void)[]): RpcContext {
    return { id, signal: this.#gone.signal, peer: this, afterReply: (task) => after.push(task) };
  }

  #sendError(id: RpcId | null, error: RpcError): Promise<void> {
    return this.#send(errorText(id, error));
  }

  /** A reply to a connection that went has no reader: not an error of whoever answered. */
  #send(text: string): Promise<void> {
    return this.#channel.send(text).catch(() => {});
  }
}

function errorText(id: RpcId | null, error: RpcError): string {
  const { code, message, data } = error;
  return JSON.stringify({ id, error: data === undefined ? { code, message } : { code, message, data } });
}
