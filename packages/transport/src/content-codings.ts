import type { Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createZstdDecompress } from "node:zlib";
import { headerValue } from "./header-value.ts";
import type { HeaderList } from "./http-request.ts";

/** What a request that can be decoded says it accepts. */
export const ACCEPT_ENCODING = "zstd, br, gzip";

/** A content coding that can be undone. */
export type ContentCoding = "gzip" | "br" | "zstd";

/**
 * The codings to undo, the last applied first (RFC 9110, 8.4). Empty where there is nothing to undo, and where one of
 * them is unknown: such a body stays as it is, header and all.
 */
export function contentCodings(headers: HeaderList): readonly ContentCoding[] {
  const codings: ContentCoding[] = [];
  for (const [name, value] of headers) {
    if (name !== "content-encoding") continue;
    for (const part of value.split(",")) {
      const word = part.trim().toLowerCase();
      if (word === "identity" || word === "") continue;
      const coding = BY_WORD.get(word);
      if (coding === undefined) return [];
      codings.unshift(coding);
    }
  }
  return codings;
}

/** What is true of a body once it is decoded: neither its coding nor its former length. */
export function decodedHeaders(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => name !== "content-encoding" && name !== "content-length");
}

/** Whether the caller left it to the transport in which coding the body comes. */
export function leavesCodingOpen(headers: HeaderList): boolean {
  // A range is a range of the encoded bytes.
  return headerValue(headers, "accept-encoding") === undefined && headerValue(headers, "range") === undefined;
}

const BY_WORD: ReadonlyMap<string, ContentCoding> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["br", "br"],
  ["zstd", "zstd"],
]);

/** Undoes one coding. */
export function decoder(coding: ContentCoding): Transform {
  if (coding === "gzip") return createGunzip();
  // Without it, what is there is held back until the whole is decoded, and an event stream comes at its end.
  if (coding === "br") return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH });
  return createZstdDecompress({
    // RFC 9659: a content coding needs no window above 8 MiB; zstd itself would take 128 MiB from a few bytes.
    params: { [constants.ZSTD_d_windowLogMax]: 23 },
  });
}
