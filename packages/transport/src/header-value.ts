import type { HeaderList } from "./http-request.ts";

/** The first value of the header field `name`, compared without regard to case; undefined when it is not there. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  const wanted = name.toLowerCase();
  for (const [candidate, value] of headers) {
    if (candidate.length === wanted.length && candidate.toLowerCase() === wanted) return value;
  }
  return undefined;
}
