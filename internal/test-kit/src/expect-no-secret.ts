import { inspect } from "node:util";
import { findSecret } from "./find-secret.ts";

/**
 * Throws when one of `secrets` can be read in `value`, in one of the spellings of `findSecret`: as `util.inspect` prints
 * it to any depth with what is hidden, as JSON, as a string, and the same for each error in it (message, stack, cause,
 * members of an AggregateError). The thrown message names the secret by its place in the list. `#private` fields cannot
 * be looked at.
 */
export function expectNoSecret(value: unknown, secrets: readonly string[]): void {
  if (secrets.length === 0) throw new Error("expectNoSecret was given no secret to look for");
  for (const [form, text] of readableForms(value)) {
    const found = findSecret(text, secrets);
    if (found >= 0) throw new Error(`secret ${found} can be read in the ${form} of the value`);
  }
}

function* readableForms(value: unknown, seen: Set<unknown> = new Set()): Generator<[string, string]> {
  if (seen.has(value)) return;
  seen.add(value);
  const whole = { depth: null, maxArrayLength: null, maxStringLength: null };
  yield ["inspected form", inspect(value, whole)];
  yield ["hidden part", inspect(value, { ...whole, showHidden: true })];
  yield ["JSON form", json(value)];
  yield ["string form", asString(value)];
  if (value instanceof Error) {
    yield ["message", value.message];
    yield ["stack", value.stack ?? ""];
    if (value.cause !== undefined) yield* readableForms(value.cause, seen);
    if (value instanceof AggregateError) for (const one of value.errors) yield* readableForms(one, seen);
  }
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
