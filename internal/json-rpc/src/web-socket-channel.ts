import { RpcClosedError } from "./errors.ts";
import type { ChannelClose, ChannelLimits, MessageChannel } from "./message-channel.ts";
import { MessageQueue } from "./message-queue.ts";
import { SendGate } from "./send-gate.ts";

const OPEN = 1;
const CLOSED = 3;
/** A close reason is a control frame's payload: 125 bytes, two of them the code (RFC 6455 5.5). */
const MAX_REASON_BYTES = 123;

/** What both the sockets of `ws` and the standard client have. `send` may call back when the bytes are gone. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: string, done?: (error?: Error | null) => void): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: "error", listener: (event: unknown) => void): void;
  pause?(): void;
  resume?(): void;
  terminate?(): void;
}

export interface WebSocketChannelOptions extends ChannelLimits {
  /** What a binary message is: the same as text, or nothing at all. @defaultValue "text" */
  readonly binary?: "text" | "ignore" | undefined;
}

/**
 * One JSON text per message over an open WebSocket. With a socket of `ws`, a slow reader stops the socket and a slow
 * peer makes `send` wait; a standard client can only do the latter, so bound what you ask of the peer.
 */
export function webSocketChannel(
  socket: WebSocketLike,
  options: WebSocketChannelOptions = {},
): MessageChannel {
  const {
    maxMessageBytes = 64 * 1024 * 1024,
    maxQueuedBytes = 4 * 1024 * 1024,
    maxUnreadBytes = 4 * 1024 * 1024,
    closeTimeoutMs = 2_000,
    binary = "text",
  } = options;
  const gate = new SendGate(maxQueuedBytes);
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<ChannelClose>();
  const inbox = new MessageQueue({
    maxBytes: maxUnreadBytes,
    onFull: () => socket.pause?.(),
    onRoom: () => socket.resume?.(),
  });
  let ended: ChannelClose | undefined;
  // Only sockets of `ws` say when bytes have left; the standard client has a counter to look at.
  const callsBack = socket.terminate !== undefined;

  const finish = (how: ChannelClose): void => {
    if (ended !== undefined) return;
    ended = how;
    gate.close(new RpcClosedError({ closeCode: how.code, reason: how.reason }));
    inbox.end();
    resolveClosed(how);
  };
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => {
    const text = messageText(data, binary);
    if (text === undefined) return;
    if (text.length > maxMessageBytes) void close(1009, "message too large");
    else inbox.push(text);
  });
  // "close" follows and says it all; without a listener the error would end the process.
  socket.addEventListener("error", () => {});
  socket.addEventListener("close", ({ code, reason }) => finish({ code, reason }));
  if (socket.readyState === CLOSED) finish({});

  let closing: Promise<void> | undefined;
  const close = (code?: number, reason?: string): Promise<void> => {
    closing ??= (async () => {
      const late = deadline(closeTimeoutMs);
      await Promise.race([gate.drained(), closed, late.promise]);
      // The peer's close frame may wait behind messages nobody reads any more.
      inbox.end();
      socket.resume?.();
      socket.close(code ?? 1000, shortened(reason ?? ""));
      await Promise.race([closed, late.promise]);
      late.clear();
      socket.terminate?.();
      finish({ code, reason });
    })();
    return closing;
  };

  return {
    messages: inbox,
    get queuedBytes() {
      return callsBack ? gate.bytes : socket.bufferedAmount;
    },
    send(text) {
      if (ended !== undefined || socket.readyState !== OPEN || closing !== undefined) {
        return Promise.reject(new RpcClosedError({ closeCode: ended?.code, reason: ended?.reason }));
      }
      const bytes = text.length;
      gate.add(bytes);
      if (callsBack) {
        socket.send(text, () => gate.subtract(bytes));
      } else {
        socket.send(text);
        if (socket.bufferedAmount <= maxQueuedBytes) gate.subtract(bytes);
        else pollUntilSent(socket, maxQueuedBytes, () => gate.subtract(bytes));
      }
      return gate.room();
    },
    close,
    closed,
  };
}

function messageText(data: unknown, binary: "text" | "ignore"): string | undefined {
  if (typeof data === "string") return data;
  if (binary === "ignore" || !(data instanceof ArrayBuffer)) return undefined;
  return Buffer.from(data).toString("utf8");
}

function pollUntilSent(socket: WebSocketLike, maxQueuedBytes: number, sent: () => void): void {
  const timer = setInterval(() => {
    if (socket.readyState === OPEN && socket.bufferedAmount > maxQueuedBytes / 2) return;
    clearInterval(timer);
    sent();
  }, 2);
}

function shortened(reason: string): string {
  const bytes = Buffer.from(reason);
  return bytes.byteLength <= MAX_REASON_BYTES
    ? reason
    : bytes
        .subarray(0, MAX_REASON_BYTES)
        .toString("utf8")
        .replace(/\uFFFD+$/u, "");
}

function deadline(ms: number): { promise: Promise<void>; clear: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return {
    promise,
    clear: () => {
      clearTimeout(timer);
      resolve();
    },
  };
}
