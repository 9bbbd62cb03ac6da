/** Bounds of a channel. Above each, the sender waits or the reader stops: nothing accepted is dropped. */
export interface ChannelLimits {
  /** Largest message accepted; a bigger one closes the channel with 1009. @defaultValue 67_108_864 (64 MiB) */
  readonly maxMessageBytes?: number | undefined;
  /** Bytes queued for sending above which `send` waits. @defaultValue 4_194_304 (4 MiB) */
  readonly maxQueuedBytes?: number | undefined;
  /** Bytes received and not yet looked at, above which reading stops. @defaultValue 4_194_304 (4 MiB) */
  readonly maxUnreadBytes?: number | undefined;
  /** How long `close` waits for what is queued and for the peer's answer. @defaultValue 2_000 */
  readonly closeTimeoutMs?: number | undefined;
}

/** How a channel ended: with the code and reason of the framing, where it has them. */
export interface ChannelClose {
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
}

/**
 * A bounded, ordered channel of text messages: JSON lines over a pair of streams, or WebSocket text frames.
 */
export interface MessageChannel {
  /**
   * Messages as they arrive; read once. Reading slowly slows the peer down: nothing accepted is dropped. Ends when
   * the peer says no more: by closing, or (JSON lines) by ending its side while ours may still answer.
   */
  readonly messages: AsyncIterable<string>;
  /** Queues a message. Resolves once the queue is below its bound again; rejects when the channel is closed. */
  send(text: string): Promise<void>;
  /** Bytes queued and not yet handed to the operating system. */
  readonly queuedBytes: number;
  /** Flushes what is queued, then closes. `code` and `reason` where the framing has them. */
  close(code?: number, reason?: string): Promise<void>;
  /** Resolves when the channel is closed, by whichever side. Never rejects. */
  readonly closed: Promise<ChannelClose>;
}
