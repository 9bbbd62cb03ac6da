import { once } from "node:events";
import { WebSocket } from "ws";

export interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
  readonly params?: any;
}

/** A client that writes what it is told and remembers what it heard. */
export class RawClient implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly heard: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #nextId = 1;
  #watchers: (() => void)[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => {
      this.heard.push(JSON.parse(String(data)));
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
    socket.on("error", () => {}); // "close" follows.
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<RawClient> {
    const socket = new WebSocket(url, { headers, perMessageDeflate: false });
    const client = new RawClient(socket);
    await once(socket, "open");
    return client;
  }

  /** Opens and shakes hands. */
  static async ready(url: string, headers: Record<string, string> = {}): Promise<RawClient> {
    const client = await RawClient.open(url, headers);
    await client.call("initialize", { clientName: "test" });
    client.say({ method: "initialized", params: {} });
    return client;
  }

  say(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  async call(method: string, params?: unknown): Promise<Message> {
    const id = this.#nextId++;
    this.say({ id, method, params });
    return this.waitFor((message) => message.id === id && message.method === undefined);
  }

  /** The first message heard so far or from now on that matches. Rejects when the connection goes. */
  async waitFor(predicate: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.heard.find(predicate);
      if (found !== undefined) return found;
      if (this.socket.readyState >= WebSocket.CLOSING) throw new Error("the connection is gone");
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Everything told about one process until it closed. */
  async process(processId: string): Promise<Message[]> {
    await this.waitFor((one) => one.method === "process/closed" && one.params.processId === processId);
    return this.heard.filter((one) => one.method !== undefined && one.params?.processId === processId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }

  #wake(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const wake of watchers) wake();
  }
}

/** The text a process wrote to one of its streams. */
export function outputOf(messages: readonly Message[], stream: string): string {
  return Buffer.concat(
    messages
      .filter((one) => one.method === "process/output" && one.params.stream === stream)
      .map((one) => Buffer.from(one.params.chunk, "base64")),
  ).toString();
}
