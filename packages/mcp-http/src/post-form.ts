import { retryAfterMs } from "@hawser/retry-sse";
import { type HttpTransport, headerValue, isTransportError } from "@hawser/transport";
import { readBytes } from "./read-json.ts";

export interface PostFormOptions {
  readonly transport: HttpTransport;
  readonly url: URL;
  readonly fields: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What became of a form. `yes`: the raw answer. `no`: it provably never left. `unknown`: it may have arrived. */
export type PostedForm =
  | { readonly sent: "no" | "unknown"; readonly code: string }
  | {
      readonly sent: "yes";
      readonly status: number;
      readonly body: Uint8Array;
      readonly retryAtMs: number | undefined;
      readonly correlationId: string | undefined;
    };

const maxAnswerBytes = 1_048_576;

/** Posts a form to a token endpoint once: no redirect, no repetition, at most 1 MiB of answer. Never throws. */
export async function postForm(options: PostFormOptions): Promise<PostedForm> {
  const { transport, url, fields, timeoutMs, signal } = options;
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.set(name, value);
  try {
    const response = await transport.send({
      method: "POST",
      url,
      headers: [
        ["content-type", "application/x-www-form-urlencoded"],
        ["accept", "application/json"],
      ],
      body: form.toString(),
      signal,
      limits: { headersTimeoutMs: timeoutMs, totalTimeoutMs: timeoutMs, maxResponseBytes: maxAnswerBytes },
    });
    const body = await readBytes(response, maxAnswerBytes);
    if (body === undefined) return { sent: "unknown", code: "ERR_MCP_HTTP_ANSWER_TOO_LARGE" };
    const waitMs = retryAfterMs(response.headers);
    return {
      sent: "yes",
      status: response.status,
      body,
      retryAtMs: waitMs === undefined ? undefined : Date.now() + waitMs,
      correlationId: headerValue(response.headers, "x-request-id")?.slice(0, 128),
    };
  } catch (error) {
    // A head without its body is an answer we do not have.
    if (!isTransportError(error)) return { sent: "unknown", code: "ERR_MCP_HTTP_UNKNOWN" };
    return { sent: error.sent === "no" ? "no" : "unknown", code: error.code };
  }
}
