import type { HttpRequest, HttpTransport } from "@hawser/transport";
import { type ClientIdentity, parseClientInfo, processIdentity } from "../src/index.ts";

/** A process on a machine that is the same everywhere. */
export const hawser: ClientIdentity = processIdentity({
  name: "hawser",
  version: "0.1.0",
  productVersion: "0.169.0",
  env: { TERM: "xterm" },
  os: { type: "Debian", version: "12.0.0", arch: "x86_64" },
});

export function client(name: string, version = "1.0.0"): ClientIdentity {
  return parseClientInfo({ name, title: null, version }, { process: hawser });
}

/** Answers everything with 204 and remembers what it was asked. */
export function recordingTransport(): HttpTransport & { readonly seen: HttpRequest[] } {
  const seen: HttpRequest[] = [];
  return {
    seen,
    async send(request) {
      seen.push(request);
      return {
        status: 204,
        url: request.url,
        headers: [],
        body: (async function* (): AsyncGenerator<Uint8Array> {})(),
        bytes: async () => new Uint8Array(),
        text: async () => "",
        json: async () => undefined,
        cancel: async () => {},
      };
    },
  };
}

export function get(path: string, extra: Partial<HttpRequest> = {}): HttpRequest {
  return { method: "GET", url: new URL(path, "https://upstream.example"), headers: [], ...extra };
}

/** All values of a header of the request that went to `path`. */
export function sentHeader(seen: readonly HttpRequest[], path: string, name: string): string[] {
  const request = seen.find(({ url }) => url.pathname === path);
  return (request?.headers ?? []).filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}
