import { WebSocket } from "undici";

export interface Notification {
  readonly method: string;
  readonly params: Record<string, unknown>;
}

class RpcFailure extends Error {
  override readonly name = "RpcFailure";
  readonly code: number;

  constructor(method: string, code: number, message: string) {
    super(`${method} answered ${code}: ${message}`);
    this.code = code;
  }
}

/** A client of the app-server as a stranger would write it: JSON-RPC without the `jsonrpc` member, over WebSocket. */
export class RpcClient {
  readonly notifications: Notification[] = [];
  readonly #socket: WebSocket;
  readonly #pending = new Map<
    number,
    { resolve: (result: never) => void; reject: (error: Error) => void; method: string }
  >();
  readonly #watchers = new Set<() => void>();
  #nextId = 1;
  #gone: Error | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", (event) => this.#receive(String(event.data)));
    socket.addEventListener("close", (event) =>
      this.#end(new Error(`connection closed (${event.code} ${event.reason})`)),
    );
  }

  static async connect(url: string, bearer: string): Promise<RpcClient> {
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${bearer}` } });
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve(), { once: true });
      socket.addEventListener("error", () => reject(new Error(`could not connect to ${url}`)), {
        once: true,
      });
    });
    return new RpcClient(socket);
  }

  /** `initialize` and `initialized`; resolves with what the server said of itself. */
  async initialize(name: string, version: string): Promise<{ userAgent: string }> {
    const capabilities = { experimentalApi: true };
    const result = await this.call<{ userAgent: string }>("initialize", {
      clientInfo: { name, title: null, version },
      capabilities,
    });
    this.#socket.send(JSON.stringify({ method: "initialized" }));
    return result;
  }

  call<T>(method: string, params?: unknown): Promise<T> {
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone);
      this.#pending.set(id, { resolve, reject, method });
      this.#socket.send(JSON.stringify(params === undefined ? { id, method } : { id, method, params }));
    });
  }

  /** The first notification, past or to come, that fits; notifications before `since` do not count. */
  async notified(
    method: string,
    fits: (params: Notification["params"]) => boolean = () => true,
    since = 0,
  ): Promise<Notification> {
    for (;;) {
      const found = this.notifications.slice(since).find((one) => one.method === method && fits(one.params));
      if (found !== undefined) return found;
      if (this.#gone !== undefined) throw this.#gone;
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  async close(): Promise<void> {
    if (this.#gone !== undefined) return;
    this.#socket.close(1000);
    await new Promise<void>((resolve) =>
      this.#socket.addEventListener("close", () => resolve(), { once: true }),
    );
  }

  #receive(text: string): void {
    const message = JSON.parse(text);
    const waiting = this.#pending.get(message.id);
    if (message.method === undefined && waiting !== undefined) {
      this.#pending.delete(message.id);
      if (message.error === undefined) waiting.resolve(message.result as never);
      else waiting.reject(new RpcFailure(waiting.method, message.error.code, message.error.message));
      return;
    }
    if (message.id === undefined && typeof message.method === "string") {
      this.notifications.push({ method: message.method, params: message.params ?? {} });
      this.#wake();
    }
  }

  #end(error: Error): void {
    this.#gone = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#wake();
  }

  #wake(): void {
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }
}
