import type { Readable, Writable } from "node:stream";
import { type ChannelClose, jsonLinesChannel } from "@hawser/json-rpc";
import type { ChannelHandler, ChannelListener } from "./channel-listener.ts";

export interface ListenStdioOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly onChannel: ChannelHandler;
}

/** The one client at the other end of a pair of pipes. Ends when it ends its side and has all its answers. */
export function listenStdio(options: ListenStdioOptions): ChannelListener {
  const { input, output, onChannel } = options;
  const channel = jsonLinesChannel(input, output);
  return {
    banner: ["hawser app-server (stdio)"],
    ended: onChannel(channel).then(async () => whyEnded(await channel.closed)),
    async [Symbol.asyncDispose]() {
      input.pause();
    },
  };
}

/** A pipe has no close frame: a client that was turned away can learn it only from the program's end. */
function whyEnded({ code, reason }: ChannelClose): string | undefined {
  return code === undefined || code === 1000 || code === 1001 ? undefined : (reason ?? `code ${code}`);
}
