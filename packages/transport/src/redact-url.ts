/**
 * The URL as it may be shown: no userinfo, no fragment, the names of the query but none of its values. A query
 * piece without `=` is all value.
 */
export function redactUrl(url: URL): string {
  const query = url.search
    .slice(1)
    .split("&")
    .filter((piece) => piece !== "")
    .map((piece) => (piece.includes("=") ? `${piece.slice(0, piece.indexOf("="))}=…` : "…"));
  return `${url.protocol}//${url.host}${url.pathname}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}
