import { decimal, firstValue, type HeaderPairs, joinedValues } from "./header-pairs.ts";

/** What is left of one limit, and when it starts anew. */
interface RateLimit {
  readonly remaining: number | undefined;
  readonly resetMs: number | undefined;
}

/** The names under which servers count for themselves. */
const FAMILIES = ["ratelimit", "x-ratelimit", "x-rate-limit"] as const;
/** Longer lists are not read: no server has that many limits. */
const MAX_LIST_LENGTH = 4096;
/** As a number of seconds this is the year 2001; as a wait, thirty years. */
const EPOCH_FROM = 1_000_000_000;
const EPOCH_MS_FROM = EPOCH_FROM * 1000;

/**
 * How long until every limit that was reached is reset: the list of `ratelimit` in either of its forms
 * (draft-ietf-httpapi-ratelimit-headers, 07 and from 08 on), else `ratelimit-reset` and the older `x-` forms of it,
 * which hold seconds or a date in seconds or milliseconds of the epoch. Undefined when no limit was reached.
 */
export function rateLimitResetMs(
  headers: HeaderPairs,
  nowMs: number,
  { status }: { readonly status?: number | undefined } = {},
): number | undefined {
  const wasReached = ({ remaining }: RateLimit): boolean =>
    remaining === 0 || (remaining === undefined && status === 429);
  const lists = [
    readList(joinedValues(headers, "ratelimit")),
    ...FAMILIES.map((family) => readFields(headers, family, nowMs)),
  ];
  for (const limits of lists) {
    const waits = limits.filter(wasReached).flatMap(({ resetMs }) => resetMs ?? []);
    if (waits.length > 0) return Math.max(...waits);
  }
  return undefined;
}

function readFields(headers: HeaderPairs, family: string, nowMs: number): readonly RateLimit[] {
  const reset = decimal(firstValue(headers, `${family}-reset`));
  const remaining = decimal(firstValue(headers, `${family}-remaining`));
  return [{ remaining, resetMs: reset === undefined ? undefined : waitMs(reset, nowMs) }];
}

/** `"burst";r=0;t=10, "daily";r=5;t=3600` is two limits, and `limit=100, remaining=0, reset=50` is one. */
function readList(value: string): readonly RateLimit[] {
  if (value === "" || value.length > MAX_LIST_LENGTH) return [];
  const members = splitOutsideQuotes(value, ",").map((member) => parametersOf(member));
  const dictionary = new Map(members.flatMap((parameters) => [...parameters]));
  if (dictionary.has("reset")) return [limitOf(dictionary, "remaining", "reset")];
  return members.map((parameters) => limitOf(parameters, "r", "t"));
}

function limitOf(parameters: ReadonlyMap<string, string>, remaining: string, reset: string): RateLimit {
  const seconds = decimal(parameters.get(reset));
  return {
    remaining: decimal(parameters.get(remaining)),
    resetMs: seconds === undefined ? undefined : seconds * 1000,
  };
}

function parametersOf(member: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const part of splitOutsideQuotes(member, ";")) {
    const [name, value] = part.split("=", 2);
    if (name !== undefined && value !== undefined) parameters.set(name.trim(), value.trim());
  }
  return parameters;
}

function splitOutsideQuotes(text: string, separator: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (quoted && character === "\\") index += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && character === separator) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function waitMs(reset: number, nowMs: number): number {
  if (reset < EPOCH_FROM) return reset * 1000;
  return (reset < EPOCH_MS_FROM ? reset * 1000 : reset) - nowMs;
}
