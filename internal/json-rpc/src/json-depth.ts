const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACKET = 91;
const OPEN_BRACE = 123;
const CLOSE_BRACKET = 93;
const CLOSE_BRACE = 125;

/**
 * Whether `text` nests deeper than `limit`, without parsing it: `JSON.parse` would spend a second on five million
 * levels. Linear in the length, and skips over strings. Says nothing about validity.
 */
export function isDeeperThan(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === QUOTE) {
      index = endOfString(text, index);
    } else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) {
      depth += 1;
      if (depth > limit) return true;
    } else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) {
      depth -= 1;
    }
  }
  return false;
}

/** Index of the quote that closes the string opened at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (quote !== -1) {
    // A quote is escaped when an odd run of backslashes precedes it. Each run is counted once.
    let run = quote - 1;
    while (run > start && text.charCodeAt(run) === BACKSLASH) run -= 1;
    if ((quote - 1 - run) % 2 === 0) return quote;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}
