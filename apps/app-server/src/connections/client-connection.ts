import type { ClientIdentity } from "@hawser/client-identity";
import { type MessageChannel, RpcError, type RpcPeer } from "@hawser/json-rpc";
import { notificationText } from "./notification-text.ts";

/** What a client said of itself when it initialised. */
export interface ClientIntroduction {
  readonly identity: ClientIdentity;
  readonly experimental: boolean;
  readonly unwantedNotifications: ReadonlySet<string>;
}

export interface ClientConnectionOptions {
  /** Bytes waiting for a slow client, above which it is disconnected with 1013. @defaultValue 16_777_216 */
  readonly maxOutboundBytes?: number | undefined;
}

/**
 * One client. Its identity is fixed by its own `initialize` and by nobody else's. It hears notifications from the
 * moment its `initialize` is answered.
 */
export class ClientConnection {
  readonly #channel: MessageChannel;
  readonly #maxOutboundBytes: number;
  #introduction: ClientIntroduction | undefined;
  #hears = false;
  #peer: RpcPeer | undefined;

  constructor(channel: MessageChannel, options: ClientConnectionOptions = {}) {
    this.#channel = channel;
    this.#maxOutboundBytes = options.maxOutboundBytes ?? 16 * 1024 * 1024;
  }

  /** The connection is answered through this peer; once, before the first message. */
  attach(peer: RpcPeer): void {
    this.#peer = peer;
  }

  get introduction(): ClientIntroduction | undefined {
    return this.#introduction;
  }

  /** Throws `Not initialized` before `initialize` has succeeded. */
  get identity(): ClientIdentity {
    if (this.#introduction === undefined) throw new RpcError(-32600, "Not initialized");
    return this.#introduction.identity;
  }

  introduce(introduction: ClientIntroduction): void {
    this.#introduction = introduction;
  }

  startHearing(): void {
    this.#hears = true;
  }

  get hears(): boolean {
    return this.#hears;
  }

  notify(method: string, params: unknown): void {
    this.deliver(method, notificationText(method, params));
  }

  /** Queues a notification that is already text. Over the bound the client is disconnected instead. */
  deliver(method: string, text: string): void {
    if (!this.#hears || this.#introduction?.unwantedNotifications.has(method) === true) return;
    if (this.#channel.queuedBytes + text.length > this.#maxOutboundBytes) {
      // Nothing more is queued for it: what it has not read it can ask for again with thread/resume.
      this.#hears = false;
      void this.#channel.close(1013, "client reads too slowly");
      return;
    }
    // Waiting for room is the client's affair; a closed channel has nobody left to tell.
    this.#channel.send(text).catch(() => {});
  }

  /** Asks the client. Rejects with its `RpcError`, the signal's reason, or because it left. */
  async request(method: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    if (this.#peer === undefined) throw new Error("connection is not attached");
    return this.#peer.request(method, params, { signal });
  }

  close(code: number, reason: string): Promise<void> {
    return this.#channel.close(code, reason);
  }
}
