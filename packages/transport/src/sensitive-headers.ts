/** Header fields that are meant for one origin and are taken off when a redirect leads to another. */
export const SENSITIVE_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "cookie2",
  "host",
  "proxy-authorization",
  "www-authenticate",
]);
