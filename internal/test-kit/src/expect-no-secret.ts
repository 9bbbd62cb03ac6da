import { inspect } from "node:util";

/**
 * Throws when one of `secrets` can be read in `value`: as `util.inspect` prints it to any depth, as JSON, as a string,
 * and the same for each error in it (message, stack, cause, members of an AggregateError). Looks for the secret
 * itself, URL-encoded, and in base64. The thrown message names the secret by its place in the list.
 *
 * Non-enumerable properties of plain objects are not looked at; `#private` fields cannot be.
 */
export function expectNoSecret(value: unknown, secrets: readonly string[]): void {
  if (secrets.length === 0) throw new Error("expectNoSecret was given no secret to look for");
  for (const [form, text] of readableForms(value)) {
    for (const [index, secret] of secrets.entries()) {
      const found = spellings(secret).some((spelling) => text.includes(spelling));
      if (found) throw new Error(`secret ${index} can be read in the ${form} of the value`);
    }
  }
}

function* readableForms(value: unknown, seen: Set<unknown> = new Set()): Generator<[string, string]> {
  if (seen.has(value)) return;
  seen.add(value);
  yield ["inspected form", inspect(value, { depth: null, maxArrayLength: null, maxStringLength: null })];
  yield ["JSON form", json(value)];
  yield ["string form", asString(value)];
  if (value instanceof Error) {
    yield ["message", value.message];
    yield ["stack", value.stack ?? ""];
    if (value.cause !== undefined) yield* readableForms(value.cause, seen);
    if (value instanceof AggregateError) for (const one of value.errors) yield* readableForms(one, seen);
  }
}

/** Anything shorter is found by chance, and its base64 form says nothing. */
const shortestSecret = 6;

function spellings(secret: string): string[] {
  if (secret.length < shortestSecret) throw new Error("a planted secret must have at least 6 characters");
  const bytes = Buffer.from(secret);
  return [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ s: secret }).toString().slice(2),
    JSON.stringify(secret).slice(1, -1),
    bytes.toString("base64").replace(/=+$/, ""),
    bytes.toString("base64url"),
  ];
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    // A value that JSON refuses (a cycle, a bigint) cannot leak through JSON.
    return "";
  }
}

function asString(value: unknown): string {
  try {
    return String(value);
  } catch {
    // Objects without a prototype have no string form.
    return "";
  }
}
