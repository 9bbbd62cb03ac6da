import type { JsonValue } from "./credential-kind.ts";

/** Why a text could not be read; never the text. */
class JsonTextError extends Error {
  override readonly name = "JsonTextError";
}

/**
 * Parses JSON that is at most `maxDepth` deep. The depth is counted before parsing: millions of levels would stop
 * the event loop for a second. A failure names no part of the text.
 */
export function parseJsonText(text: string, options: { maxDepth: number }): JsonValue {
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
      if (depth > options.maxDepth) throw new JsonTextError("nested too deeply");
    } else if (unit === 0x5d || unit === 0x7d) depth -= 1;
  }
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // The engine's message quotes the text.
    throw new JsonTextError("not JSON");
  }
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
