import type { JsonValue } from "./credential-kind.ts";
import { CredentialError } from "./errors.ts";
import { type PrintJsonOptions, printJsonText } from "./json-text.ts";
import { MAX_FILE_BYTES } from "./read-regular-file.ts";

/** The text of what shall stand at `path`. Throws `ERR_OAUTH_STORE_NOT_WRITABLE` for what could not be read again. */
export function printForFile(value: JsonValue, path: string, options: PrintJsonOptions): string {
  let text: string;
  try {
    text = printJsonText(value, options);
  } catch {
    // What is said of it is all there is to say.
    throw new CredentialError(
      "ERR_OAUTH_STORE_NOT_WRITABLE",
      `${path} cannot be written: nested too deeply`,
      {
        reason: "too-deep",
      },
    );
  }
  assertFileSize(text, path);
  return text;
}

/** What could be written and never read again is not written. */
export function assertFileSize(text: string, path: string): void {
  if (Buffer.byteLength(text) <= MAX_FILE_BYTES) return;
  throw new CredentialError("ERR_OAUTH_STORE_NOT_WRITABLE", `${path} would grow too large`, {
    reason: "too-large",
  });
}
