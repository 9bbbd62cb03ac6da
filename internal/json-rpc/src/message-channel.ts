/**
 * A bounded, ordered channel of text messages: JSON lines over a pair of streams, or WebSocket text frames.
 */
export interface MessageChannel {
  /** Messages as they arrive. Reading slowly slows the peer down: nothing accepted is dropped. */
  readonly messages: AsyncIterable<string>;
  /** Queues a message. Resolves once the queue is below its bound again; rejects when the channel is closed. */
  send(text: string): Promise<void>;
  /** Bytes queued and not yet handed to the operating system. */
  readonly queuedBytes: number;
  /** Flushes what is queued, then closes. `code` and `reason` where the framing has them. */
  close(code?: number, reason?: string): Promise<void>;
  /** Resolves when the channel is closed, by whichever side. Never rejects. */
  readonly closed: Promise<{ readonly code?: number | undefined; readonly reason?: string | undefined }>;
}
