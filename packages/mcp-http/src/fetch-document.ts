import { type HeaderList, type HttpTransport, withRedirects } from "@hawser/transport";
import { McpHttpError } from "./errors.ts";
import { parseJson, readBytes } from "./read-json.ts";

const maxDocumentBytes = 262_144;
const documentTimeoutMs = 5_000;

export interface FetchDocumentOptions {
  readonly transport: HttpTransport;
  readonly headers?: HeaderList | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fetches a JSON document about a login: 256 KiB, 5 s, three redirects within the origin, nothing that says who asks.
 * Undefined when the server has none (any status but 200, or no JSON); throws `ERR_MCP_HTTP_DISCOVERY` when it cannot
 * be told.
 */
export async function fetchDocument(url: URL, options: FetchDocumentOptions): Promise<unknown> {
  const { transport, headers = [], signal } = options;
  try {
    const response = await withRedirects({ mode: "same-origin", maxHops: 3 })(transport).send({
      method: "GET",
      url,
      headers: [["accept", "application/json"], ...headers],
      signal,
      idempotent: true,
      limits: { totalTimeoutMs: documentTimeoutMs, maxResponseBytes: maxDocumentBytes },
    });
    if (response.status >= 500 || response.status === 429) {
      await response.cancel();
      throw unreachable(url, `status-${response.status}`);
    }
    if (response.status !== 200) {
      await response.cancel();
      return undefined;
    }
    const bytes = await readBytes(response, maxDocumentBytes);
    return bytes && parseJson(bytes);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof McpHttpError) throw error;
    throw unreachable(url, codeOf(error));
  }
}

function unreachable(url: URL, reason: string | undefined): McpHttpError {
  const text = `no answer about the login from ${JSON.stringify(url.origin)}`;
  return new McpHttpError("ERR_MCP_HTTP_DISCOVERY", text, { reason, retry: "after" });
}

function codeOf(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : undefined;
}
