import { once } from "node:events";
import { WebSocket } from "ws";

export interface Notification {
  readonly method: string;
  readonly params: Record<string, unknown>;
  readonly emittedAtMs: number;
}

interface Message {
  id?: number | string;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: { code: number; message: string; data?: unknown };
  emittedAtMs?: number;
}

/** What a client is told instead of a result. */
class Refusal extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor({ code, message, data }: { code: number; message: string; data?: unknown }) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** A client of the protocol over a WebSocket, as the outside world would write one: it shares no code with the server. */
export class AppClient implements AsyncDisposable {
  /** Everything the server sent that was no answer, in order, requests of the server among them. */
  readonly notifications: Notification[] = [];
  /** The order in which answers and notifications came. */
  readonly order: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Answers the server's own requests. */
  onRequest: (method: string, params: Record<string, unknown>) => unknown = () => {
    throw new Error("not expected");
  };
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { method: string; settle: (message: Message) => void }>();
  readonly #watchers = new Set<() => void>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.#take(JSON.parse(String(data)) as Message));
    this.closed = once(socket, "close").then(([code, reason]) => ({ code, reason: String(reason) }));
    socket.on("error", () => {});
  }

  static async connect(url: string, options: { bearer?: string } = {}): Promise<AppClient> {
    const headers = options.bearer === undefined ? {} : { authorization: `Bearer ${options.bearer}` };
    const socket = new WebSocket(url, { headers });
    const client = new AppClient(socket);
    await once(socket, "open");
    return client;
  }

  request<T = Record<string, unknown>>(method: string, params?: unknown): Promise<T> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const settle = (message: Message): void =>
        message.error === undefined ? resolve(message.result as T) : reject(new Refusal(message.error));
      this.#waiting.set(id, { method, settle });
      this.raw(JSON.stringify({ id, method, params }));
    });
  }

  raw(text: string): void {
    this.#socket.send(text);
  }

  initialize(name: string, version = "1.0.0", capabilities: object = {}): Promise<Record<string, unknown>> {
    return this.request("initialize", { clientInfo: { name, title: null, version }, capabilities });
  }

  /** The first notification that fits, of those that came and those to come. */
  notified(
    method: string,
    fits: (params: Record<string, unknown>) => boolean = () => true,
  ): Promise<Notification> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = this.notifications.find((one) => one.method === method && fits(one.params));
        if (found === undefined) return;
        this.#watchers.delete(check);
        resolve(found);
      };
      this.#watchers.add(check);
      void this.closed.then(() => reject(new Error(`closed before ${method}`)));
      check();
    });
  }

  resume(): void {
    this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate();
    await this.closed;
  }

  #take(message: Message): void {
    if (message.method !== undefined && message.id !== undefined) {
      this.#answer(message.id, message.method, message.params ?? {});
      return;
    }
    if (message.method !== undefined) {
      const { method, params = {}, emittedAtMs = Number.NaN } = message;
      this.order.push(method);
      this.notifications.push({ method, params, emittedAtMs });
      for (const check of [...this.#watchers]) check();
      return;
    }
    const waiting = this.#waiting.get(message.id as number);
    this.#waiting.delete(message.id as number);
    this.order.push(`reply ${waiting?.method}`);
    waiting?.settle(message);
  }

  #answer(id: number | string, method: string, params: Record<string, unknown>): void {
    this.order.push(`request ${method}`);
    let answer: object;
    try {
      answer = { id, result: this.onRequest(method, params) };
    } catch (error) {
      answer = { id, error: { code: -32000, message: String(error) } };
    }
    this.raw(JSON.stringify(answer));
  }
}
