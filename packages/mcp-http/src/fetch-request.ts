import type { HeaderList, HttpRequest } from "@hawser/transport";
import { McpHttpError } from "./errors.ts";

/** A `fetch` call of the official transport as an `HttpRequest`: its bodies are texts. */
export function fetchRequest(url: string | URL, init: RequestInit = {}): HttpRequest {
  const { method = "GET", headers, body, signal } = init;
  if (typeof body !== "string" && body !== undefined && body !== null) {
    throw new McpHttpError("ERR_MCP_HTTP_OPTIONS", "the MCP transport sent a body that is not text");
  }
  return {
    method,
    url: typeof url === "string" ? new URL(url) : url,
    headers: headerList(headers),
    body: body ?? undefined,
    signal: signal ?? undefined,
  };
}

function headerList(headers: RequestInit["headers"]): HeaderList {
  if (headers === undefined) return [];
  return [...(headers instanceof Headers ? headers : new Headers(headers))];
}
