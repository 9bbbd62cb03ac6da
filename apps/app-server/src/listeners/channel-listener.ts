import type { MessageChannel } from "@hawser/json-rpc";

/** Takes a channel over; resolves when it is done with. */
export type ChannelHandler = (channel: MessageChannel) => Promise<void>;

/** A way in for clients. Disposing stops new ones from coming; who is connected is not touched. */
export interface ChannelListener extends AsyncDisposable {
  /** Lines for a person: what is listened on. */
  readonly banner: readonly string[];
  /**
   * Resolves when no client can ever come again of itself: the end of stdin. With a text, this side ended it, and the
   * text says why.
   */
  readonly ended: Promise<string | undefined>;
}
