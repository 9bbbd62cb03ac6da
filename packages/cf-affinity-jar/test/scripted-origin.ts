import type { HeaderList, HttpRequest, HttpTransport } from "@hawser/transport";

export interface ScriptedOrigin extends HttpTransport {
  readonly seen: HttpRequest[];
  /** The cookie headers of request number `index`, in order. */
  cookies(index: number): string[];
  cancelled: number;
}

/** Answers request number n with the n-th entry, and after the last with 204. */
export function scriptedOrigin(
  ...script: readonly { readonly status?: number; readonly headers?: HeaderList }[]
): ScriptedOrigin {
  const seen: HttpRequest[] = [];
  const origin: ScriptedOrigin = {
    seen,
    cancelled: 0,
    cookies: (index) =>
      (seen[index]?.headers ?? [])
        .filter(([name]) => name.toLowerCase() === "cookie")
        .map(([, value]) => value),
    async send(request) {
      const { status = 204, headers = [] } = script[seen.length] ?? {};
      seen.push(request);
      return {
        status,
        url: request.url,
        headers,
        body: (async function* (): AsyncGenerator<Uint8Array> {})(),
        bytes: async () => new Uint8Array(),
        text: async () => "",
        json: async () => undefined,
        cancel: async () => {
          origin.cancelled += 1;
        },
      };
    },
  };
  return origin;
}

export function request(url: string, headers: HeaderList = []): HttpRequest {
  return { method: "POST", url: new URL(url), headers };
}

export function setCookie(...lines: readonly string[]): HeaderList {
  return lines.map((line) => ["set-cookie", line] as const);
}
