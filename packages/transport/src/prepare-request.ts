import { promisify } from "node:util";
import { gzip, zstdCompress } from "node:zlib";
import { TransportError } from "./errors.ts";
import { headerValue } from "./header-value.ts";
import type { HttpRequest } from "./http-request.ts";
import { wireBody } from "./wire-body.ts";

export interface PrepareOptions {
  /** Compresses the body and says so in `content-encoding`. @defaultValue none */
  readonly compress?: "zstd" | "gzip" | undefined;
  /** Most that is read from a stream. @defaultValue 64 MiB */
  readonly maxBodyBytes?: number | undefined;
}

/**
 * Makes the final bytes and headers of a request once, so that each sending of the result puts the same on the wire
 * and none serialises or compresses again. A streamed body is read to its end here. A request without a body is
 * handed back as it is.
 */
export async function prepareRequest(
  request: HttpRequest,
  options: PrepareOptions = {},
): Promise<HttpRequest> {
  const { compress, maxBodyBytes = 64 * 1024 * 1024 } = options;
  const { url, headers } = request;
  if (compress !== undefined && headerValue(headers, "content-encoding") !== undefined) {
    throw new TransportError("ERR_TRANSPORT_INVALID_REQUEST", "the body already has a content-encoding", {
      url,
    });
  }
  const { bytes, contentType } = wireBody(request);
  if (bytes === undefined) return request;

  const plain = bytes instanceof Uint8Array ? bytes : await readWhole(bytes, maxBodyBytes, request);
  const body = compress === undefined ? plain : await COMPRESSORS[compress](plain);
  // The transport writes the length of what it sends.
  const kept = headers.filter(([name]) => name.toLowerCase() !== "content-length");
  return {
    ...request,
    body,
    headers: [
      ...kept,
      ...(contentType === undefined ? [] : [["content-type", contentType] as const]),
      ...(compress === undefined ? [] : [["content-encoding", compress] as const]),
    ],
  };
}

const COMPRESSORS: Readonly<Record<"zstd" | "gzip", (plain: Uint8Array) => Promise<Uint8Array>>> = {
  zstd: (plain) => promisify(zstdCompress)(plain),
  gzip: (plain) => promisify(gzip)(plain),
};

async function readWhole(
  source: AsyncIterable<Uint8Array>,
  maxBodyBytes: number,
  { url, signal }: HttpRequest,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of source) {
    if (signal?.aborted === true) {
      throw new TransportError("ERR_TRANSPORT_ABORTED", "aborted by the caller", {
        url,
        cause: signal.reason,
      });
    }
    length += piece.byteLength;
    if (length > maxBodyBytes) {
      throw new TransportError(
        "ERR_TRANSPORT_BODY_TOO_LARGE",
        `the request body is larger than ${maxBodyBytes} bytes`,
        { url },
      );
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}
