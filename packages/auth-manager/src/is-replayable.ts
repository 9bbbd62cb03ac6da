import type { HttpBody } from "@hawser/transport";

/** Whether a body can be sent a second time: bytes, text and `{ json }` can, a stream cannot. */
export function isReplayable(body: HttpBody | undefined): boolean {
  if (body === undefined || typeof body === "string" || body instanceof Uint8Array) return true;
  return "json" in body && !(Symbol.asyncIterator in body);
}
