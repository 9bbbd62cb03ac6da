import type { ScriptedAnswer } from "./start-scripted-server.ts";

/** One request as the proxy saw it after it opened the tunnel. */
export interface InterceptedRequest {
  readonly method: string;
  readonly url: URL;
  /** Names in lower case; lines of one name joined with ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface InterceptingProxyOptions {
  /**
   * Answers in the place of every host, so that `https://any.example/` is served on loopback. An answer whose `body` is
   * an iterable is collected first: this proxy does not stream.
   *
   * @defaultValue answers 200 with an empty body
   */
  handler?:
    | ((seen: InterceptedRequest, count: number) => ScriptedAnswer | Promise<ScriptedAnswer>)
    | undefined;
}

export interface InterceptingProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/`: what goes into HTTPS_PROXY. */
  readonly url: URL;
  /** PEM of the authority that signs the certificate of each host. */
  readonly caPem: string;
  readonly seen: readonly InterceptedRequest[];
  close(): Promise<void>;
}

/** An HTTP proxy that opens CONNECT tunnels with its own certificates and answers from a script. */
export async function startInterceptingProxy(
  options: InterceptingProxyOptions = {},
): Promise<InterceptingProxy> {
  const { handler = (): ScriptedAnswer => ({}) } = options;
  // Loaded here, since most users of this package never open a tunnel and the import takes most of a second.
  const { generateCACertificate, getLocal } = await import("mockttp");
  const ca = await generateCACertificate({ subject: { commonName: "Hawser intercepting test proxy" } });
  const server = getLocal({ https: ca, http2: false });
  await server.start();

  const seen: InterceptedRequest[] = [];
  await server.forAnyRequest().thenCallback(async (request) => {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(request.headers)) {
      if (value !== undefined) headers[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
    }
    const one: InterceptedRequest = {
      method: request.method,
      url: new URL(request.url),
      headers,
      body: (await request.body.getText()) ?? "",
    };
    seen.push(one);
    const answer = await handler(one, seen.length);
    return {
      statusCode: answer.status ?? 200,
      headers: {
        ...(answer.json === undefined ? {} : { "content-type": "application/json" }),
        ...answer.headers,
      },
      rawBody: await wholeBody(answer),
    };
  });

  const close = () => server.stop();
  return {
    url: new URL(`http://127.0.0.1:${server.port}/`),
    caPem: ca.cert,
    seen,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function wholeBody({ json, body }: ScriptedAnswer): Promise<Buffer> {
  if (json !== undefined) return Buffer.from(JSON.stringify(json));
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === "string" || body instanceof Uint8Array) return Buffer.from(body);
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
