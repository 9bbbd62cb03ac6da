import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { BearerCheck } from "./bearer-check.ts";

/** An answer that keeps a request out. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

/**
 * A browser names the page's origin and, after DNS rebinding, the attacker's host: neither has business here. Any
 * `Origin` is refused, and a `Host` that is neither an address, `localhost` nor allowed by name.
 */
export function refuseBrowser(
  request: IncomingMessage,
  allowedHosts: readonly string[],
): Refusal | undefined {
  if (request.headers.origin !== undefined) return { status: 403, text: "" };
  const host = hostName(request.headers.host ?? "");
  const isKnown = host === "localhost" || isIP(host) !== 0 || allowedHosts.includes(host);
  return isKnown ? undefined : { status: 403, text: "this Host is not served here; see --allow-host" };
}

/** Keeps an upgrade out that is for another path or comes without a good bearer. */
export function refuseUpgrade(
  request: IncomingMessage,
  options: { readonly allowedHosts: readonly string[]; readonly checkBearer: BearerCheck },
): Refusal | undefined {
  const browser = refuseBrowser(request, options.allowedHosts);
  if (browser !== undefined) return browser;
  if (requestPath(request) !== "/") return { status: 404, text: "" };
  const why = options.checkBearer(request.headers.authorization);
  return why === undefined ? undefined : { status: 401, text: why };
}

/** The path of the request target, without its query. */
export function requestPath(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}

function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(host)?.[1];
  return (bracketed ?? host.replace(/:\d*$/, "")).toLowerCase();
}
