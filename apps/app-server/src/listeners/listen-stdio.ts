import type { Readable, Writable } from "node:stream";
import { jsonLinesChannel } from "@hawser/json-rpc";
import type { ChannelHandler, ChannelListener } from "./channel-listener.ts";

export interface ListenStdioOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly onChannel: ChannelHandler;
}

/** The one client at the other end of a pair of pipes. Ends when it ends its side and has all its answers. */
export function listenStdio(options: ListenStdioOptions): ChannelListener {
  const { input, output, onChannel } = options;
  const ended = onChannel(jsonLinesChannel(input, output));
  return {
    banner: ["hawser app-server (stdio)"],
    ended,
    async [Symbol.asyncDispose]() {
      input.pause();
    },
  };
}
