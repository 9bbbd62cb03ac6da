import type { HttpLimits, HttpRequest, HttpResponse } from "@hawser/transport";
import {
  type FetchLike,
  type JSONRPCMessage,
  type MessageExtraInfo,
  StreamableHTTPClientTransport,
  type Transport,
  type TransportSendOptions,
} from "@modelcontextprotocol/client";
import type { BearerSeam } from "./bearer-seam.ts";
import { boundedReconnects } from "./bounded-reconnects.ts";
import { isMcpHttpError, McpHttpError } from "./errors.ts";
import { fetchRequest } from "./fetch-request.ts";
import { fetchResponse } from "./fetch-response.ts";
import type { McpCall } from "./mcp-call.ts";
import { type MessageFacts, type MessageKind, messageFacts } from "./message-kind.ts";
import { statusError } from "./status-error.ts";

/** Request option by which a call's id reaches the transport. Taken off before anything is sent. */
export const callHeader = "hawser-call";

export interface CallTransportOptions {
  readonly url: URL;
  readonly seam: BearerSeam;
  readonly call: (id: string) => McpCall | undefined;
  /** Longest answer to a POST, in bytes; 0 for no limit. */
  readonly maxResponseBytes: number;
  /** Takes the token out of a text that the server sent. */
  readonly redact: (text: string) => string;
  /** The server no longer knows the session of this transport. */
  readonly onSessionExpired: () => void;
}

/**
 * The official Streamable HTTP transport, with each message tied to the call it belongs to: the call's end cancels the
 * exchange, its failure is known before a cancellation notice is sent, and a stream that ends without the answer ends
 * the call.
 */
export class CallTransport implements Transport {
  readonly hasPerRequestStream = true;
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: (<T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void) | undefined;

  readonly #options: CallTransportOptions;
  readonly #inner: StreamableHTTPClientTransport;
  /** Requests that wait for their answer. */
  readonly #waiting = new Map<string | number, McpCall>();
  readonly #exchanges = new Map<string, Exchange>();
  #nextExchange = 0;

  constructor(options: CallTransportOptions) {
    this.#options = options;
    this.#inner = new StreamableHTTPClientTransport(options.url, {
      fetch: this.#fetch,
      reconnectionScheduler: boundedReconnects(),
    });
  }

  get sessionId(): string | undefined {
    return this.#inner.sessionId;
  }

  get protocolVersion(): string | undefined {
    return this.#inner.protocolVersion;
  }

  setProtocolVersion(version: string): void {
    this.#inner.setProtocolVersion(version);
  }

  async start(): Promise<void> {
    this.#inner.onclose = () => this.onclose?.();
    this.#inner.onerror = (error) => this.onerror?.(error);
    this.#inner.onmessage = (message: JSONRPCMessage, extra?: MessageExtraInfo) => {
      if ("id" in message && !("method" in message) && message.id !== undefined) {
        this.#noLongerWaiting(message.id)?.requestReturned();
      }
      this.onmessage?.(message, extra);
    };
    await this.#inner.start();
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  async send(message: JSONRPCMessage, options: TransportSendOptions = {}): Promise<void> {
    const facts = messageFacts(message);
    const { [callHeader]: callId, ...headers } = options.headers ?? {};
    const call = callId === undefined ? undefined : this.#options.call(callId);
    if (facts.kind === "cancellation" && !this.#isWorthCancelling(facts)) return;

    const isRequest = facts.kind === "request" || facts.kind === "initialize";
    if (call !== undefined && isRequest && facts.id !== undefined) this.#waiting.set(facts.id, call);
    const exchangeId = String(this.#nextExchange++);
    this.#exchanges.set(exchangeId, { kind: facts.kind, call });
    try {
      const innerOptions: TransportSendOptions = {
        ...options,
        headers: { ...headers, [exchangeHeader]: exchangeId },
        ...(call === undefined ? {} : { requestSignal: call.signal }),
        onRequestStreamEnd: () => this.#streamEnded(facts),
      };
      await this.#inner.send(message, innerOptions as InnerSendOptions);
    } catch (error) {
      if (isRequest && facts.id !== undefined) this.#waiting.delete(facts.id);
      throw error;
    } finally {
      this.#exchanges.delete(exchangeId);
    }
  }

  /** A request that never left, or came back refused, is nothing the server could stop. */
  #isWorthCancelling({ id }: MessageFacts): boolean {
    const call = id === undefined ? undefined : this.#noLongerWaiting(id);
    return call === undefined || call.isOnWire;
  }

  #streamEnded({ id }: MessageFacts): void {
    const call = id === undefined ? undefined : this.#noLongerWaiting(id);
    if (call === undefined) return;
    const text = `the stream of ${call.label} ended before its answer`;
    call.fail(new McpHttpError("ERR_MCP_HTTP_STREAM_ENDED", text));
  }

  #noLongerWaiting(id: string | number): McpCall | undefined {
    const call = this.#waiting.get(id);
    this.#waiting.delete(id);
    return call;
  }

  readonly #fetch: FetchLike = async (url, init) => {
    const asked = fetchRequest(url, init);
    const id = asked.headers.find(([name]) => name === exchangeHeader)?.[1];
    const exchange = id === undefined ? undefined : this.#exchanges.get(id);
    const response = await this.#exchange(
      {
        ...asked,
        headers: asked.headers.filter(([name]) => name !== exchangeHeader),
        limits: this.#limitsOf(asked, exchange?.call),
        operation: exchange?.call?.operation,
      },
      exchange?.kind,
    );
    if (asked.method === "POST" && response.status >= 400)
      throw await statusError(response, this.#options.redact);
    return fetchResponse(response);
  };

  async #exchange(request: HttpRequest, kind: MessageKind | undefined): Promise<HttpResponse> {
    try {
      return await this.#options.seam.exchange(request, kind);
    } catch (error) {
      if (isMcpHttpError(error, "ERR_MCP_HTTP_SESSION_EXPIRED")) this.#options.onSessionExpired();
      throw error;
    }
  }

  /** A call's deadline bounds its exchange, and a standalone stream may be silent as long as the session lives. */
  #limitsOf(request: HttpRequest, call: McpCall | undefined): HttpLimits {
    const untimed = { headersTimeoutMs: 0, bodyIdleTimeoutMs: 0 };
    if (request.method !== "POST") return untimed;
    const { maxResponseBytes } = this.#options;
    return call === undefined ? { maxResponseBytes } : { ...untimed, maxResponseBytes };
  }
}

// The class types its options without `undefined`, the interface it implements with.
type InnerSendOptions = Parameters<StreamableHTTPClientTransport["send"]>[1];

interface Exchange {
  readonly kind: MessageKind;
  readonly call: McpCall | undefined;
}

const exchangeHeader = "hawser-exchange";
