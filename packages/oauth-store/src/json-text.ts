import type { JsonValue } from "./credential-kind.ts";

/** ECMAScript's source text access, which is in every Node that this package runs on and in no type library yet. */
interface SourceTextJson {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
}
interface RawNumber {
  readonly rawJSON: string;
}
const sourceTextJson: SourceTextJson = JSON as unknown as SourceTextJson;

/** Why a text could not be read; never the text. */
class JsonTextError extends Error {
  override readonly name = "JsonTextError";
}

/**
 * Parses JSON that is at most `maxDepth` deep. The depth is counted before parsing: millions of levels would stop
 * the event loop for a second. A failure names no part of the text.
 */
export function parseJsonText(text: string, options: { maxDepth: number }): JsonValue {
  assertDepth(text, options.maxDepth);
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // The engine's message quotes the text.
    throw new JsonTextError("not JSON");
  }
}

export interface PrintJsonOptions {
  /** What could not be read again by `parseJsonText` with this depth is not printed. */
  readonly maxDepth: number;
  /** JSON whose numbers are kept as they are written there, where they still stand. @defaultValue none */
  readonly before?: string | undefined;
  /** Spaces of indentation. @defaultValue 0 */
  readonly indent?: number | undefined;
}

/**
 * The text of a value. A number that stands where it stood in `before` is written as it was there: another program's
 * may have more digits than a number holds here, or none that matter. Throws for what is nested too deeply.
 */
export function printJsonText(value: JsonValue, { maxDepth, before, indent = 0 }: PrintJsonOptions): string {
  let text: string;
  try {
    const numbers = before === undefined ? undefined : numbersAsWritten(before);
    text = JSON.stringify(numbers === undefined ? value : withNumbers(value, numbers), null, indent);
  } catch {
    throw new JsonTextError("nested too deeply");
  }
  assertDepth(text, maxDepth);
  return text;
}

/** The same text for the same content: members sorted, no spaces. */
export function canonicalJson(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => canonicalJson(item)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}

function assertDepth(text: string, maxDepth: number): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (inString) {
      if (unit === 0x5c) at += 1;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x5b || unit === 0x7b) {
      depth += 1;
      if (depth > maxDepth) throw new JsonTextError("nested too deeply");
    } else if (unit === 0x5d || unit === 0x7d) depth -= 1;
  }
}

/** The content of a text, with raw numbers where printing them anew would change them; undefined without any. */
function numbersAsWritten(text: string): unknown {
  let found = false;
  const content = sourceTextJson.parse(text, (_name, value, { source }) => {
    if (typeof value !== "number" || source === undefined || source === JSON.stringify(value)) return value;
    found = true;
    return sourceTextJson.rawJSON(source);
  });
  return found ? content : undefined;
}

/** A value to be printed: its numbers as they are written in `numbers`, where they stand there and are the same. */
function withNumbers(value: JsonValue | undefined, numbers: unknown): unknown {
  if (sourceTextJson.isRawJSON(numbers)) return Object.is(value, Number(numbers.rawJSON)) ? numbers : value;
  if (typeof value !== "object" || value === null || typeof numbers !== "object" || numbers === null)
    return value;
  if (Array.isArray(value)) {
    return Array.isArray(numbers)
      ? value.map((item: JsonValue, at) => withNumbers(item, numbers[at]))
      : value;
  }
  const members = Object.entries(value).map(([name, member]: [string, JsonValue | undefined]) => [
    name,
    Object.hasOwn(numbers, name) ? withNumbers(member, (numbers as Record<string, unknown>)[name]) : member,
  ]);
  return Object.fromEntries(members);
}
