import { STATUS_CODES } from "node:http";
import type { HttpResponse } from "@hawser/transport";

/**
 * A response in the shape of `fetch`, as far as MCP clients read it. Headers and the web stream are made when they are
 * asked for: a JSON answer never pays for a stream.
 */
export function fetchResponse(response: HttpResponse): Response {
  return new LazyResponse(response) as unknown as Response;
}

class LazyResponse {
  readonly #response: HttpResponse;
  #headers: Headers | undefined;
  #body: ReadableStream<Uint8Array> | undefined;
  #used = false;
  readonly redirected = false;
  readonly type = "basic";

  constructor(response: HttpResponse) {
    this.#response = response;
  }

  get status(): number {
    return this.#response.status;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  get statusText(): string {
    return STATUS_CODES[this.status] ?? "";
  }

  get url(): string {
    return this.#response.url.href;
  }

  get headers(): Headers {
    if (this.#headers === undefined) {
      this.#headers = new Headers();
      for (const [name, value] of this.#response.headers) this.#headers.append(name, value);
    }
    return this.#headers;
  }

  get bodyUsed(): boolean {
    return this.#used;
  }

  get body(): ReadableStream<Uint8Array> {
    this.#body ??= webStream(this.#response, () => {
      this.#used = true;
    });
    return this.#body;
  }

  async text(): Promise<string> {
    this.#used = true;
    return this.#body === undefined ? this.#response.text() : new Response(this.#body).text();
  }

  async json(): Promise<unknown> {
    this.#used = true;
    // The transport's error about a bad body quotes nothing of it; the engine's own does.
    return this.#body === undefined ? this.#response.json() : new Response(this.#body).json();
  }

  async bytes(): Promise<Uint8Array> {
    this.#used = true;
    if (this.#body === undefined) return this.#response.bytes();
    return new Uint8Array(await new Response(this.#body).arrayBuffer());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await this.bytes();
    return bytes.slice().buffer as ArrayBuffer;
  }

  async blob(): Promise<Blob> {
    return new Blob([await this.arrayBuffer()]);
  }

  /** A real `Response` over one branch of the body; this one keeps the other. */
  clone(): Response {
    const [mine, other] = this.body.tee();
    this.#body = mine as ReadableStream<Uint8Array>;
    const hasBody = this.status !== 204 && this.status !== 205 && this.status !== 304;
    return new Response(hasBody ? (other as ReadableStream<Uint8Array>) : null, {
      status: this.status,
      statusText: this.statusText,
      headers: this.headers,
    });
  }
}

function webStream(response: HttpResponse, onRead: () => void): ReadableStream<Uint8Array> {
  let pieces: AsyncIterator<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        onRead();
        pieces ??= response.body[Symbol.asyncIterator]();
        const { done, value } = await pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await response.cancel();
      },
    },
    { highWaterMark: 0 },
  );
}
