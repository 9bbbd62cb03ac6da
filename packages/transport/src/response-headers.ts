import type { HeaderList } from "./http-request.ts";

/**
 * The response's header fields as they arrived. Values are read as UTF-8 where they are UTF-8, else as Latin-1
 * (RFC 9110, 5.5), so that no value is lost.
 *
 * @param raw - Names and values in turn, as undici's HTTP/1.1 parser hands them on.
 * @param parsed - What is there without `raw` (HTTP/2, test doubles): one entry per name.
 */
export function responseHeaders(
  raw: unknown,
  parsed: Record<string, string | string[] | undefined>,
): HeaderList {
  if (Array.isArray(raw)) return fromParsed(raw.length / 2, parsed) ?? fromRaw(raw);
  const list: [string, string][] = [];
  for (const [name, value] of Object.entries(parsed)) {
    for (const one of typeof value === "string" ? [value] : (value ?? [])) {
      list.push([name.toLowerCase(), one]);
    }
  }
  return list;
}

/** What was parsed already says the same when nothing repeats, nothing is beyond ASCII and no name is a number. */
function fromParsed(
  count: number,
  parsed: Record<string, string | string[] | undefined>,
): HeaderList | undefined {
  const names = Object.keys(parsed);
  if (names.length !== count) return undefined;
  const list: [string, string][] = [];
  for (const name of names) {
    const value = parsed[name];
    if (typeof value !== "string" || BEYOND_ASCII.test(value) || NUMBER_FIRST.test(name)) return undefined;
    list.push([name, value]);
  }
  return list;
}

function fromRaw(raw: readonly unknown[]): HeaderList {
  const list: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    list.push([asText(raw[index]).toLowerCase(), asText(raw[index + 1])]);
  }
  return list;
}

function asText(raw: unknown): string {
  if (!Buffer.isBuffer(raw)) return String(raw);
  const latin1 = raw.toString("latin1");
  if (!BEYOND_ASCII.test(latin1)) return latin1;
  try {
    return strictUtf8.decode(raw);
  } catch {
    return latin1;
  }
}

/** Objects put members with such names first. */
const NUMBER_FIRST = /^\d/;
const BEYOND_ASCII = /[\u0080-\u00ff]/;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
