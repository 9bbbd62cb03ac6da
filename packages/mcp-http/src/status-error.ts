import { retryAfterMs } from "@hawser/retry-sse";
import type { HttpResponse } from "@hawser/transport";
import { McpHttpError } from "./errors.ts";
import { shownText } from "./shown-text.ts";

/** A status that means failure, as an error with the beginning of what the server said. Ends the response. */
export async function statusError(
  response: HttpResponse,
  redact: (text: string) => string = (text) => text,
): Promise<McpHttpError> {
  const { status } = response;
  const said = redact(await beginning(response, 8_192)).trim();
  const waitMs = retryAfterMs(response.headers);
  const isTransient = transientStatuses.has(status);
  return new McpHttpError(
    "ERR_MCP_HTTP_STATUS",
    `the server answered ${status}${said === "" ? "" : `: ${shownText(said)}`}`,
    {
      status,
      retry: isTransient ? "after" : "never",
      ...(isTransient && waitMs !== undefined ? { retryAtMs: Date.now() + waitMs } : {}),
    },
  );
}

/** Statuses that say nothing about the request itself. */
const transientStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

async function beginning(response: HttpResponse, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of response.body) {
      pieces.push(piece);
      length += piece.byteLength;
      if (length >= maxBytes) break;
    }
  } catch {
    // The status is the news; a body that breaks off adds nothing to it.
  }
  await response.cancel();
  return Buffer.concat(pieces).subarray(0, maxBytes).toString("utf8");
}
