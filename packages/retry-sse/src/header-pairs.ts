/** Header fields as pairs; names compare without regard to case. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/** First value of a header, trimmed and in lower case. */
export function firstValue(headers: HeaderPairs, wanted: string): string | undefined {
  return headers
    .find(([name]) => name.toLowerCase() === wanted)?.[1]
    .trim()
    .toLowerCase();
}

/** Every line of a header as one list (RFC 9110, section 5.3), in lower case; empty when there is none. */
export function joinedValues(headers: HeaderPairs, wanted: string): string {
  return headers
    .filter(([name]) => name.toLowerCase() === wanted)
    .map(([, value]) => value.toLowerCase())
    .join(",");
}

/** A number in plain digits with an optional fraction; undefined for any other text. */
export function decimal(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}(?:\.\d{1,15})?$/.test(value) ? Number(value) : undefined;
}
