import { TransportError } from "./errors.ts";
import type { HttpResponse } from "./http-response.ts";

/**
 * Hands on a response with a status of 200-299. Any other is cancelled and becomes `ERR_TRANSPORT_STATUS` with the
 * `status`; `retry` is `after` for 408, 425, 429 and the 5xx that pass, else `never`.
 */
export async function expectOk(response: HttpResponse): Promise<HttpResponse> {
  const { status, url } = response;
  if (status >= 200 && status < 300) return response;
  await response.cancel();
  throw new TransportError("ERR_TRANSPORT_STATUS", `the server answered ${status}`, {
    url,
    status,
    sent: "yes",
    retry: PASSING.has(status) ? "after" : "never",
  });
}

const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504, 529]);
