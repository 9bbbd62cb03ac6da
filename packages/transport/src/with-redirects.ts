import { TransportError } from "./errors.ts";
import type { HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import type { TransportWrapper } from "./http-transport.ts";
import { redactUrl } from "./redact-url.ts";
import { isRedirectStatus, redirectHop } from "./redirect-hop.ts";
import { redirectChannel } from "./transport-events.ts";

export interface RedirectOptions {
  /**
   * `follow`: to any http or https origin, never from https to http. `same-origin`: the first hop elsewhere is an
   * error. `manual`: a redirect is handed to the caller. `error`: any redirect is an error.
   */
  readonly mode: "follow" | "same-origin" | "manual" | "error";
  /** Hops before the next one is an error. @defaultValue 10 */
  readonly maxHops?: number | undefined;
  /**
   * Further header names that must not reach another origin, because they hold a credential. Authorization, cookie
   * and proxy credentials never do.
   *
   * @defaultValue none
   */
  readonly sensitiveHeaders?: readonly string[] | undefined;
}

/**
 * Follows redirects, each hop through `next`, so that what is nested inside sees every hop. POST becomes GET on 301
 * and 302, everything but GET and HEAD on 303; 307 and 308 send the body again, or are handed to the caller when
 * the body can be read only once. `limits.totalTimeoutMs` covers all hops together.
 */
export function withRedirects(options: RedirectOptions): TransportWrapper {
  const { mode, maxHops = 10, sensitiveHeaders = [] } = options;
  if (mode === "manual") return (next) => next;
  const hopOptions = {
    sameOriginOnly: mode === "same-origin",
    sensitiveHeaders: new Set(sensitiveHeaders.map((name) => name.toLowerCase())),
  };

  return (next) => ({
    send: async (request) => {
      const startedAtMs = performance.now();
      let current = request;
      for (let hops = 0; ; hops += 1) {
        const response = await next.send(withRemainingTotal(current, request, startedAtMs));
        const following = await decided(response, () => {
          if (mode === "error" && isRedirectStatus(response.status)) throw forbidden(response);
          return redirectHop(current, response, hopOptions);
        });
        if (following === undefined) return response;
        await response.cancel();
        if (hops === maxHops) throw tooMany(response, maxHops);
        if (redirectChannel.hasSubscribers) {
          redirectChannel.publish({
            label: request.operation?.label,
            from: redactUrl(current.url),
            to: redactUrl(following.url),
            status: response.status,
            hop: hops + 1,
          });
        }
        current = following;
      }
    },
  });
}

/** A hop that is refused gives up the response it came from. */
async function decided(
  response: HttpResponse,
  decide: () => HttpRequest | undefined,
): Promise<HttpRequest | undefined> {
  try {
    return decide();
  } catch (refusal) {
    await response.cancel();
    throw refusal;
  }
}

function withRemainingTotal(current: HttpRequest, first: HttpRequest, startedAtMs: number): HttpRequest {
  const totalTimeoutMs = first.limits?.totalTimeoutMs ?? 0;
  if (totalTimeoutMs <= 0 || current === first) return current;
  const remainingMs = totalTimeoutMs - (performance.now() - startedAtMs);
  if (remainingMs <= 0) {
    throw new TransportError("ERR_TRANSPORT_TIMEOUT", "not finished within totalTimeoutMs", {
      url: current.url,
      sent: "yes",
    });
  }
  return { ...current, limits: { ...current.limits, totalTimeoutMs: remainingMs } };
}

function forbidden({ url }: HttpResponse): TransportError {
  return new TransportError("ERR_TRANSPORT_REDIRECT_REFUSED", "redirects are not followed here", {
    url,
    sent: "yes",
  });
}

function tooMany({ url }: HttpResponse, maxHops: number): TransportError {
  return new TransportError("ERR_TRANSPORT_REDIRECT_LIMIT", `more than ${maxHops} redirects`, {
    url,
    sent: "yes",
  });
}
