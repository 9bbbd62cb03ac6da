import type { Readable, Writable } from "node:stream";
import { RpcClosedError } from "./errors.ts";
import type { ChannelClose, ChannelLimits, MessageChannel } from "./message-channel.ts";
import { SendGate } from "./send-gate.ts";

const LINE_FEED = 10;

/**
 * One JSON text per line over a pair of streams. Blank lines are skipped, CRLF is accepted. The end of `readable`
 * ends `messages` only: what is still to be answered can be sent until `close`. A failing `writable`, or a line
 * above `maxMessageBytes`, closes the channel.
 */
export function jsonLinesChannel(
  readable: Readable,
  writable: Writable,
  limits: ChannelLimits = {},
): MessageChannel {
  const {
    maxMessageBytes = 64 * 1024 * 1024,
    maxQueuedBytes = 4 * 1024 * 1024,
    closeTimeoutMs = 2_000,
  } = limits;
  const gate = new SendGate(maxQueuedBytes);
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<ChannelClose>();
  let ending: ChannelClose | undefined;

  const finish = (how: ChannelClose): void => {
    ending ??= how;
    gate.close(new RpcClosedError({ closeCode: ending.code, reason: ending.reason }));
    readable.destroy();
    resolveClosed(ending);
  };
  // Without a listener a broken pipe would end the process; with it, it is the peer leaving.
  writable.on("error", () => finish({ reason: "output failed" }));
  writable.on("close", () => finish({ reason: "output closed" }));

  const close = async (code?: number, reason?: string): Promise<void> => {
    if (ending !== undefined) return void (await closed);
    ending = { code, reason };
    await Promise.race([gate.drained(), unreferencedDelay(closeTimeoutMs)]);
    writable.end();
    finish(ending);
  };

  return {
    messages: readLines(readable, maxMessageBytes, () => void close(1009, "message too large")),
    get queuedBytes() {
      return gate.bytes;
    },
    send(text) {
      if (ending !== undefined) {
        return Promise.reject(new RpcClosedError({ closeCode: ending.code, reason: ending.reason }));
      }
      const line = Buffer.from(`${text}\n`);
      gate.add(line.byteLength);
      writable.write(line, () => gate.subtract(line.byteLength));
      return gate.room();
    },
    close,
    closed,
  };
}

async function* readLines(
  readable: Readable,
  maxMessageBytes: number,
  onTooLarge: () => void,
): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of readable as AsyncIterable<Buffer | string>) {
      const buffer = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      let start = 0;
      for (let end = buffer.indexOf(LINE_FEED); end !== -1; end = buffer.indexOf(LINE_FEED, start)) {
        parts.push(buffer.subarray(start, end));
        bytes += end - start;
        if (bytes > maxMessageBytes) return onTooLarge();
        const line = parts.length === 1 ? parts[0] : Buffer.concat(parts, bytes);
        parts = [];
        bytes = 0;
        start = end + 1;
        const text = line?.toString("utf8") ?? "";
        if (text.trim() !== "") yield text;
      }
      if (start < buffer.byteLength) {
        parts.push(buffer.subarray(start));
        bytes += buffer.byteLength - start;
        if (bytes > maxMessageBytes) return onTooLarge();
      }
    }
  } catch {
    // A reader that fails or is destroyed is a peer that left: the same as its end.
    return;
  }
  // The last line may lack its line feed.
  const rest = Buffer.concat(parts, bytes).toString("utf8");
  if (rest.trim() !== "") yield rest;
}

function unreferencedDelay(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms).unref();
  return promise;
}
