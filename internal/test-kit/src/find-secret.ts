/**
 * The place in `secrets` of one that can be read in the text or the bytes of a file, else -1: as it is, URL-encoded,
 * escaped for JSON, inside any base64, or as a buffer is inspected or serialized.
 */
export function findSecret(text: string | Buffer, secrets: readonly string[]): number {
  // A buffer is printed with spaces, and its numbers in columns. Files are searched as they are.
  const dense = typeof text === "string" ? text.replace(/\s+/g, "") : text;
  return secrets.findIndex(
    (secret) =>
      spellings(secret).some((spelling) => text.includes(spelling)) ||
      byteSpellings(secret).some((spelling) => dense.includes(spelling)),
  );
}

/** Anything shorter is found by chance, and its base64 form says nothing. */
const shortestSecret = 6;

function spellings(secret: string): string[] {
  if (secret.length < shortestSecret) throw new Error("a planted secret must have at least 6 characters");
  const inBase64 = [0, 1, 2].map((before) => insideBase64(secret, before));
  return [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ s: secret }).toString().slice(2),
    JSON.stringify(secret).slice(1, -1),
    ...inBase64,
    ...inBase64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

function byteSpellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [bytes.toString("hex"), bytes.join(",")];
}

/** What a base64 text shows of the secret wherever that begins, modulo 3, in what was encoded. */
function insideBase64(secret: string, before: number): string {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)]);
  const first = Math.ceil((before * 8) / 6);
  return bytes.toString("base64").slice(first, Math.floor((bytes.length * 8) / 6));
}
