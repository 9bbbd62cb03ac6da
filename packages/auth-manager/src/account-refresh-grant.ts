import type { RefreshGrant, RefreshGrantInput } from "@hawser/oauth-store";
import { type HeaderList, type HttpResponse, type HttpTransport, isTransportError } from "@hawser/transport";
import type { AccountCredential, Provenance } from "./account-credential.ts";
import { maxAnswerBytes, readAnswer } from "./read-answer.ts";
import { retryAfterAtMs } from "./retry-after.ts";

export interface AccountRefreshGrantOptions {
  /** Sends each request on a connection of its own and follows no redirect. */
  readonly transport: HttpTransport;
  readonly tokenUrl: URL;
  readonly provenance: Provenance;
  /** Header fields that name this process. */
  readonly identity: () => HeaderList;
  /** Wall clock. */
  readonly now: () => number;
}

/** Sends the refresh token once and hands the raw answer over; judging it is the engine's business. */
export function accountRefreshGrant(options: AccountRefreshGrantOptions): RefreshGrant<AccountCredential> {
  const { transport, tokenUrl, provenance, identity, now } = options;
  return async (input) => {
    const { credential, refreshToken, signal } = input;
    // A refresh token goes only to the issuer that gave it, whatever this process is configured for.
    if ((credential.provenance?.issuer ?? provenance.issuer) !== provenance.issuer) {
      return { sent: "no", code: "issuer_mismatch" };
    }
    let response: HttpResponse;
    try {
      response = await transport.send({
        method: "POST",
        url: tokenUrl,
        headers: [["content-type", "application/json"], ["accept", "*/*"], ...identity()],
        body: JSON.stringify({
          client_id: credential.provenance?.clientId ?? provenance.clientId,
          grant_type: "refresh_token",
          refresh_reason: refreshReason(input),
          refresh_token: refreshToken,
        }),
        signal,
        limits: { maxResponseBytes: maxAnswerBytes },
      });
    } catch (error) {
      // Only the kind of failure passes: a foreign error may quote the body.
      const isTransport = isTransportError(error);
      // Somebody answered, and it was not the token endpoint: nothing was spent.
      if (isTransport && error.code === "ERR_TRANSPORT_REDIRECT_REFUSED") {
        return { sent: "yes", status: error.status ?? 307, body: new Uint8Array() };
      }
      return {
        sent: isTransport && error.sent === "no" ? "no" : "unknown",
        code: isTransport ? error.code : "transport_failed",
      };
    }
    const body = await readAnswer(response);
    if (body === undefined) return { sent: "unknown", code: "answer_incomplete" };
    return {
      sent: "yes",
      status: response.status,
      body,
      retryAtMs: retryAfterAtMs(response.headers, now()),
      correlationId: correlationId(response.headers),
    };
  };
}

/** The account's own words for why it is asked. */
function refreshReason({ reason, credential }: RefreshGrantInput<AccountCredential>): string {
  if (reason === "forced") return "forced";
  if (reason === "rejected") return "unauthorized_recovery";
  return credential.accessClaims?.expiresAtMs === undefined ? "scheduled" : "proactive_expiry";
}

const correlationHeaders = ["x-oai-request-id", "x-openai-request-id", "x-request-id", "cf-ray"];

function correlationId(headers: HeaderList): string | undefined {
  for (const wanted of correlationHeaders) {
    const value = headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
    if (value !== undefined && /^[\w.:-]{1,128}$/.test(value)) return value;
  }
  return undefined;
}
