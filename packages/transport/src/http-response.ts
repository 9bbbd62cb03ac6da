import type { HeaderList } from "./http-request.ts";

/**
 * A response whose head has arrived. The body is read at most once, through `body`, `bytes()`, `text()` or
 * `json()`; a body that is not wanted is given up with `cancel()`.
 */
export interface HttpResponse {
  readonly status: number;
  /** The URL that answered: after redirects, the last one. */
  readonly url: URL;
  /** Names in lower case, repeats kept, in the order of arrival. */
  readonly headers: HeaderList;
  readonly body: AsyncIterable<Uint8Array>;
  bytes(): Promise<Uint8Array>;
  text(): Promise<string>;
  json(): Promise<unknown>;
  /** Releases the connection at once. Safe to call twice, and after the body was read. */
  cancel(): Promise<void>;
}
