import type { HeaderList, TransportWrapper } from "@hawser/transport";
import { AffinityError } from "./errors.ts";

/**
 * Whether a response is Cloudflare's challenge or block page and not the origin's answer: it says so, or it is a 403
 * in HTML that passed Cloudflare. The body is not looked at.
 */
export function isCloudflareChallenge(response: {
  readonly status: number;
  readonly headers: HeaderList;
}): boolean {
  const { status, headers } = response;
  if (firstValue(headers, "cf-mitigated")?.trim().toLowerCase() === "challenge") return true;
  if (status !== 403) return false;
  const mediaType = firstValue(headers, "content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType !== "text/html") return false;
  return (
    firstValue(headers, "cf-ray") !== undefined || firstValue(headers, "server")?.trim() === "cloudflare"
  );
}

/**
 * A challenge becomes `ERR_CF_AFFINITY_JAR_CHALLENGED`, which says that repeating is useless: it wants a browser, and
 * cookies do not answer it. Every other response passes.
 */
export function withChallengeErrors(): TransportWrapper {
  return (next) => ({
    async send(request) {
      const response = await next.send(request);
      if (!isCloudflareChallenge(response)) return response;
      await response.cancel();
      throw new AffinityError(
        "ERR_CF_AFFINITY_JAR_CHALLENGED",
        `${response.url.host} is behind a Cloudflare challenge (status ${response.status}); open it in a browser or use another network.`,
        { status: response.status, rayId: readRayId(response.headers) },
      );
    },
  });
}

function readRayId(headers: HeaderList): string | undefined {
  const value = firstValue(headers, "cf-ray");
  return value !== undefined && /^[\w-]{1,64}$/.test(value) ? value : undefined;
}

function firstValue(headers: HeaderList, wanted: string): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
}
