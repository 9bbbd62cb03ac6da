import { RetrySseError } from "./errors.ts";

const MAX_BEGINNING_BYTES = 512;
const MAX_TYPE_LENGTH = 100;

/** Whether a content type names an event stream (HTML standard, section 9.2.5), with or without parameters. */
export function isEventStream(contentType: string | null): boolean {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() === "text/event-stream";
}

/** Tells what came instead of an event stream, by its name and its first bytes. */
export function foreignContentError(contentType: string | null, bytes: Uint8Array): RetrySseError {
  const name = visible(contentType ?? "").slice(0, MAX_TYPE_LENGTH);
  const beginning = visible(new TextDecoder().decode(bytes.subarray(0, MAX_BEGINNING_BYTES)));
  const what = name === "" ? "something without a content type" : JSON.stringify(name);
  return new RetrySseError(
    "ERR_RETRY_SSE_CONTENT_TYPE",
    `Not an event stream but ${what}, which begins with ${JSON.stringify(beginning.slice(0, 80))}.`,
    { beginning, ...(name === "" ? {} : { contentType: name }) },
  );
}

/** A stranger's text, fit for a log: no control, direction or separator characters. */
function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
}
