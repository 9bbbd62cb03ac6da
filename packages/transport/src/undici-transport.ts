import { Agent, type Dispatcher } from "undici";
import { checkDeadline, checkSendable, checkUrl } from "./check-request.ts";
import { ACCEPT_ENCODING, leavesCodingOpen } from "./content-codings.ts";
import { DeadlineTimers } from "./deadline-timers.ts";
import type { DecompressOptions } from "./decoded-body.ts";
import { effectiveLimits } from "./effective-limits.ts";
import { TransportError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { watchExchange } from "./exchange-watch.ts";
import type { HeaderList, HttpLimits, HttpRequest } from "./http-request.ts";
import type { HttpTransport } from "./http-transport.ts";
import { RequestBodyStream } from "./request-body-stream.ts";
import { type RequestTracing, requestTracing } from "./request-tracing.ts";
import { wireBody } from "./wire-body.ts";

export interface UndiciTransportOptions {
  /**
   * Decides proxy, trust and pooling; see `createDispatcher`. It stays the caller's: the transport never closes it.
   *
   * @defaultValue a plain HTTP/1.1 agent of its own, without proxy
   */
  readonly dispatcher?: Dispatcher | undefined;
  /** Bounds for every request; a request's own bounds win one by one. */
  readonly limits?: HttpLimits | undefined;
  /**
   * Asks for compressed bodies (zstd, br, gzip) and undoes at most two codings while the body is read; the headers
   * then say nothing of them, and `maxResponseBytes` counts what comes out. A request that sets `accept-encoding` or
   * `range` itself gets its body as it comes.
   *
   * @defaultValue false
   */
  readonly decompress?: boolean | DecompressOptions | undefined;
  /**
   * Spans and trace context by `@opentelemetry/api`, loaded with the first request when it is installed.
   *
   * @defaultValue "auto"
   */
  readonly tracing?: "auto" | "off" | undefined;
}

/**
 * Sends one request once over undici: never follows a redirect, never sends again. Disposing closes the dispatcher
 * it made for itself, and with it whatever is still under way.
 */
export function createUndiciTransport(options: UndiciTransportOptions = {}): HttpTransport & AsyncDisposable {
  const { dispatcher, limits = {}, decompress = false, tracing = "auto" } = options;
  const decoding = decompress === false ? undefined : decodingBounds(decompress === true ? {} : decompress);
  const own =
    dispatcher === undefined
      ? new Agent({
          allowH2: false,
          ...(limits.connectTimeoutMs === undefined ? {} : { connectTimeout: limits.connectTimeoutMs }),
        })
      : undefined;
  const wire = dispatcher ?? (own as Dispatcher);
  const commonBounds = effectiveLimits(undefined, limits);
  // Taking a URL apart costs as much as a tenth of a request, and most requests follow one to the same place.
  let target: SendTarget | undefined;
  const deadlines = new DeadlineTimers();
  const sentBodies = new WeakSet<object>();
  let spans: RequestTracing | undefined | "not loaded" = tracing === "off" ? undefined : "not loaded";
  // The net under callers who drop a response unread: its connection would be held for ever.
  const unread = new FinalizationRegistry((exchange: Exchange) => exchange.cancel());

  return {
    send: async (request) => {
      const { url } = request;
      if (url.href !== target?.href) target = sendTarget(url);
      checkSendable(request);
      const body = wireBody(request);
      // After the body, which may have taken its time to become bytes.
      const remainingMs = checkDeadline(request);
      const bodyStream = streamOnce(request, body.bytes, sentBodies);
      const bounds = request.limits === undefined ? commonBounds : effectiveLimits(request.limits, limits);
      if (spans === "not loaded") spans = requestTracing();
      const span = spans?.start(request);
      const isDecoding = decoding !== undefined && leavesCodingOpen(request.headers);
      const requestBytes =
        bodyStream === undefined ? ((body.bytes as Uint8Array | undefined)?.byteLength ?? 0) : undefined;
      const exchange: Exchange = new Exchange({
        request,
        requestBody: bodyStream,
        requestBytes: requestBytes ?? 0,
        decompress: isDecoding ? decoding : undefined,
        deadlines,
        watch: watchExchange(request, requestBytes, span),
        // Its own dispatcher already times the connection with the transport's limit.
        connectTimeoutMs: (own === undefined ? bounds : request.limits)?.connectTimeoutMs ?? 0,
        totalTimeoutMs: bounds.totalTimeoutMs,
        maxResponseBytes: bounds.maxResponseBytes,
        onTouched: () => unread.unregister(exchange),
      });
      const options = {
        origin: target.origin,
        path: target.path,
        method: request.method,
        headers: wireHeaders(request.headers, body.contentType, isDecoding, span?.headers),
        body: (bodyStream ?? body.bytes ?? null) as Dispatcher.DispatchOptions["body"],
        headersTimeout: bounds.headersTimeoutMs,
        bodyTimeout: bounds.bodyIdleTimeoutMs,
      } as Dispatcher.DispatchOptions;
      const response = await exchange.run(wire, options, remainingMs);
      if (exchange.isOpen) unread.register(response, exchange, exchange);
      return response;
    },
    [Symbol.asyncDispose]: async () => {
      await own?.destroy();
    },
  };
}

interface SendTarget {
  readonly href: string;
  readonly origin: string;
  readonly path: string;
}

function sendTarget(url: URL): SendTarget {
  checkUrl(url);
  return { href: url.href, origin: url.origin, path: `${url.pathname}${url.search}` };
}

function decodingBounds({ maxRatio = 200 }: DecompressOptions): { readonly maxRatio: number } {
  return { maxRatio };
}

/** A body that can be read once is sent once: a second time it would arrive empty, without a word. */
function streamOnce(
  { url }: HttpRequest,
  bytes: Uint8Array | AsyncIterable<Uint8Array> | undefined,
  sentBodies: WeakSet<object>,
): RequestBodyStream | undefined {
  if (bytes === undefined || bytes instanceof Uint8Array) return undefined;
  if (sentBodies.has(bytes)) {
    throw new TransportError(
      "ERR_TRANSPORT_BODY_USED",
      "this request body can be read once and was already sent",
      {
        url,
      },
    );
  }
  sentBodies.add(bytes);
  return new RequestBodyStream(bytes);
}

/**
 * In pairs as undici wants them. A repeated name becomes one entry with several values, which undici writes as
 * several lines: its proxy agent keeps only the last of repeated names in a flat list.
 */
function wireHeaders(
  headers: HeaderList,
  contentType: string | undefined,
  isDecoding: boolean,
  traceHeaders: HeaderList | undefined,
): string[] | Record<string, string | string[]> {
  const flat: string[] = [];
  const names: string[] = [];
  let repeated = false;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    repeated ||= names.includes(lower);
    names.push(lower);
    flat.push(name, onWire(value));
  }
  if (contentType !== undefined) flat.push("content-type", contentType);
  if (isDecoding) flat.push("accept-encoding", ACCEPT_ENCODING);
  if (traceHeaders !== undefined) {
    for (const [name, value] of traceHeaders) {
      // The caller's own trace is the one to continue.
      if (!names.includes(name.toLowerCase())) flat.push(name, value);
    }
  }
  return repeated ? grouped(flat) : flat;
}

function grouped(flat: readonly string[]): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null);
  const spelling = new Map<string, string>();
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const name = flat[index] ?? "";
    const value = flat[index + 1] ?? "";
    const key = spelling.get(name.toLowerCase()) ?? name;
    spelling.set(name.toLowerCase(), key);
    const before = record[key];
    record[key] = before === undefined ? value : [before, value].flat();
  }
  return record;
}

/** undici writes one byte per character; a value beyond ASCII goes out as UTF-8. */
function onWire(value: string): string {
  return BEYOND_ASCII.test(value) ? Buffer.from(value, "utf8").toString("latin1") : value;
}

const BEYOND_ASCII = /[\u0080-\uffff]/;
