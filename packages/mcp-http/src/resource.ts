/**
 * Whether `url` lies inside `resource`: same scheme, host and port, and the resource's path or below it. Nothing
 * that identifies a login goes to any other place (a gateway may serve `/tenant-a/mcp` beside `/tenant-b/mcp`).
 */
export function isInsideResource(resource: URL, url: URL): boolean {
  if (resource.protocol !== url.protocol || resource.host !== url.host) return false;
  const base = resource.pathname.endsWith("/") ? resource.pathname.slice(0, -1) : resource.pathname;
  return url.pathname === base || url.pathname.startsWith(`${base}/`);
}

/** https anywhere, http on this machine only. */
export function isSafeEndpoint(url: URL): boolean {
  if (url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname));
}

function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || isLoopbackV4(hostname);
}

function isLoopbackV4(hostname: string): boolean {
  const parts = hostname.split(".");
  return (
    parts.length === 4 &&
    parts[0] === "127" &&
    parts.every((part) => part !== "" && !Number.isNaN(Number(part)))
  );
}

/** Whether a server may point us to `url`: a safe endpoint, and to this machine only when it is here itself. */
export function isReachableFrom(server: URL, url: URL): boolean {
  return isSafeEndpoint(url) && (!isLoopbackHost(url.hostname) || isLoopbackHost(server.hostname));
}
