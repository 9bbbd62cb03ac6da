import { checkRequest } from "./check-request.ts";
import { type BodySource, createHttpResponse } from "./create-http-response.ts";
import type { HeaderList, HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import type { HttpTransport } from "./http-transport.ts";

/** What a scripted transport answers. */
export interface ScriptedReply {
  /** @defaultValue 200 */
  readonly status?: number | undefined;
  readonly headers?: HeaderList | undefined;
  /** A list arrives piece by piece. @defaultValue empty */
  readonly body?:
    | string
    | Uint8Array
    | { readonly json: unknown }
    | readonly (string | Uint8Array)[]
    | AsyncIterable<Uint8Array>
    | undefined;
}

export type ScriptedStep =
  | ScriptedReply
  | Error
  | ((request: HttpRequest) => ScriptedReply | Promise<ScriptedReply>);

export interface ScriptedTransport extends HttpTransport {
  /** Every request that was sent, in order. */
  readonly seen: readonly HttpRequest[];
  /** How many bodies were cancelled before their end. */
  readonly cancelled: number;
}

/**
 * A transport for tests: answers the n-th request with the n-th step, records each in `seen`, and opens no socket.
 * An error in the script is thrown. A given function answers every request. As on the real wire, an aborted signal
 * or an operation past its deadline sends nothing. A request beyond the script is an error.
 */
export function scriptedTransport(
  script: readonly ScriptedStep[] | ((request: HttpRequest) => ScriptedReply | Promise<ScriptedReply>),
): ScriptedTransport {
  const seen: HttpRequest[] = [];
  let cancelled = 0;
  return {
    seen,
    get cancelled() {
      return cancelled;
    },
    send: async (request) => {
      checkRequest(request);
      const step = typeof script === "function" ? script : script[seen.length];
      seen.push(request);
      if (step === undefined) throw new Error(`the script has no reply for request number ${seen.length}`);
      if (step instanceof Error) throw step;
      const reply = typeof step === "function" ? await step(request) : step;
      return answered(request, reply, () => {
        cancelled += 1;
      });
    },
  };
}

function answered({ url }: HttpRequest, reply: ScriptedReply, onCancel: () => void): HttpResponse {
  const { status = 200, headers = [], body } = reply;
  const isJson = typeof body === "object" && "json" in body;
  const pieces = bodyPieces(body);
  const source: BodySource = {
    next: async () => {
      const step = await pieces.next();
      return step.done === true ? { done: true, value: undefined } : step;
    },
    cancel: async () => {
      onCancel();
      await pieces.return?.();
    },
  };
  return createHttpResponse({
    status,
    url,
    headers: isJson ? [["content-type", "application/json"], ...headers] : headers,
    body: source,
  });
}

function bodyPieces(body: ScriptedReply["body"]): AsyncIterator<Uint8Array> {
  if (typeof body === "object" && Symbol.asyncIterator in body) return body[Symbol.asyncIterator]();
  return listed(body);
}

async function* listed(body: Exclude<ScriptedReply["body"], AsyncIterable<Uint8Array>>) {
  if (body === undefined) return;
  if (typeof body === "string" || body instanceof Uint8Array) {
    yield asBytes(body);
  } else if ("json" in body) {
    yield asBytes(JSON.stringify(body.json));
  } else {
    for (const piece of body) yield asBytes(piece);
  }
}

function asBytes(piece: string | Uint8Array): Uint8Array {
  return typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
}
