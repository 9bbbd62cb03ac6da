import type { HeaderList } from "@hawser/transport";

/** One challenge of a `WWW-Authenticate` field (RFC 9110, 11.6.1). Scheme and parameter names in lower case. */
export interface Challenge {
  readonly scheme: string;
  /** A parameter named twice is left out: nobody can say which one counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** What is read of one response's `WWW-Authenticate` fields together. More is ignored. */
export const maxChallengeLength = 16_384;

/** Every challenge in every `WWW-Authenticate` field. Malformed parts are skipped; it never throws. */
export function challengesOf(headers: HeaderList): readonly Challenge[] {
  return parseChallenges(challengeText(headers) ?? "");
}

/** The `WWW-Authenticate` fields as one text of at most 16 KiB, or undefined. */
export function challengeText(headers: HeaderList): string | undefined {
  const values: string[] = [];
  for (const [name, value] of headers) if (name.toLowerCase() === "www-authenticate") values.push(value);
  return values.length === 0 ? undefined : values.join(", ").slice(0, maxChallengeLength);
}

/** The scope asked for when a Bearer challenge says `insufficient_scope` (RFC 6750, 3.1), else undefined. */
export function insufficientScope(challenges: readonly Challenge[]): { scope?: string } | undefined {
  for (const { scheme, parameters } of challenges) {
    if (scheme !== "bearer" || parameters.get("error") !== "insufficient_scope") continue;
    const scope = parameters.get("scope");
    return scope !== undefined && isScope(scope) ? { scope } : {};
  }
  return undefined;
}

/** The first Bearer parameter of that name. */
export function bearerParameter(challenges: readonly Challenge[], name: string): string | undefined {
  for (const { scheme, parameters } of challenges) {
    const value = scheme === "bearer" ? parameters.get(name) : undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Reads a list of challenges in one pass over the text. */
export function parseChallenges(text: string): readonly Challenge[] {
  const scanner = new Scanner(text.slice(0, maxChallengeLength));
  const challenges: { scheme: string; parameters: Map<string, string>; repeated: Set<string> }[] = [];
  while (!scanner.atEnd()) {
    scanner.skipSeparators();
    const word = scanner.token();
    if (word === "") {
      scanner.skipOne();
      continue;
    }
    const afterWord = scanner.skipSpaces();
    const current = challenges.at(-1);
    // `name =` is a parameter of the challenge before it; a scheme is followed by a space, never by "=".
    if (scanner.peek() === "=" && current !== undefined) {
      scanner.skipOne();
      scanner.skipSpaces();
      addParameter(current, word.toLowerCase(), scanner.value());
      continue;
    }
    challenges.push({ scheme: word.toLowerCase(), parameters: new Map(), repeated: new Set() });
    if (afterWord) scanner.skipToken68();
  }
  return challenges;
}

function addParameter(
  challenge: { parameters: Map<string, string>; repeated: Set<string> },
  name: string,
  value: string | undefined,
): void {
  if (value === undefined || challenge.repeated.has(name)) return;
  if (challenge.parameters.delete(name)) challenge.repeated.add(name);
  else challenge.parameters.set(name, value);
}

/** RFC 6750, 3: one or more scope tokens, one space between. */
function isScope(text: string): boolean {
  let previous = " ";
  for (const character of text) {
    const code = character.charCodeAt(0);
    const allowed = code === 0x20 || code === 0x21 || (code >= 0x23 && code <= 0x7e && code !== 0x5c);
    if (!allowed || (character === " " && previous === " ")) return false;
    previous = character;
  }
  return previous !== " ";
}

const tokenMarks = "!#$%&'*+-.^_`|~";

function isTokenCharacter(character: string): boolean {
  const code = character.charCodeAt(0);
  const isDigit = code >= 0x30 && code <= 0x39;
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return isDigit || isLetter || (character !== "" && tokenMarks.includes(character));
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  peek(): string {
    return this.#text.charAt(this.#at);
  }

  skipOne(): void {
    this.#at += 1;
  }

  skipSpaces(): boolean {
    const from = this.#at;
    while (this.peek() === " " || this.peek() === "\t") this.#at += 1;
    return this.#at > from;
  }

  skipSeparators(): void {
    while (!this.atEnd() && " \t,;".includes(this.peek())) this.#at += 1;
  }

  token(): string {
    const from = this.#at;
    while (isTokenCharacter(this.peek())) this.#at += 1;
    return this.#text.slice(from, this.#at);
  }

  /** A token or a quoted string; undefined when the quote never ends. */
  value(): string | undefined {
    if (this.peek() !== '"') return this.token();
    this.#at += 1;
    const parts: string[] = [];
    while (!this.atEnd()) {
      const character = this.peek();
      this.#at += 1;
      if (character === '"') return parts.join("");
      if (character === "\\" && !this.atEnd()) {
        parts.push(this.peek());
        this.#at += 1;
      } else parts.push(character);
    }
    return undefined;
  }

  /** Skips credentials in token68 form (`Negotiate YII=`); leaves a parameter list where it is. */
  skipToken68(): void {
    const from = this.#at;
    while (isTokenCharacter(this.peek()) || this.peek() === "/") this.#at += 1;
    const word = this.#at > from;
    while (this.peek() === "=") this.#at += 1;
    this.skipSpaces();
    // `error=` looks like padding until a value follows it: then it was a parameter.
    const ended = this.atEnd() || this.peek() === ",";
    if (!word || !ended) this.#at = from;
  }
}
