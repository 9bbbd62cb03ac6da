/** A word of the source that counts for the rooms: part of an identifier, a string or an import path. */
export interface SourceWord {
  readonly word: string;
  readonly line: number;
}

const REGEX_MAY_FOLLOW =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|delete|void|throw|new|do|else|await|yield))$/;

/**
 * Splits TypeScript source into lower-case words: camel, snake and kebab parts of identifiers, string and template
 * literals. Comments are passed over.
 */
export function sourceWords(source: string): SourceWord[] {
  const words: SourceWord[] = [];
  for (const piece of codePieces(source)) {
    for (const word of splitWords(piece.text)) words.push({ word, line: piece.line });
  }
  return words;
}

/** Lower-case parts of `text`. */
export function splitWords(text: string): string[] {
  const parts = text
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .match(/[a-z]+/g);
  return parts ?? [];
}

/** Module specifiers of static and dynamic imports and re-exports, types included. */
export function importSpecifiers(source: string): { specifier: string; line: number; typeOnly: boolean }[] {
  const found: { specifier: string; line: number; typeOnly: boolean }[] = [];
  const code = withoutComments(source);
  const patterns = [
    /\b(import|export)\b(\s+type\b)?[^"';]*?\bfrom\s*["']([^"']+)["']/g,
    /\b(import)\b()\s*["']([^"']+)["']/g,
    /\b(import|require|resolve)\b()\s*\(\s*["']([^"']+)["']\s*\)/g,
  ];
  for (const pattern of patterns) {
    for (const match of code.matchAll(pattern)) {
      const line = code.slice(0, match.index).split("\n").length;
      found.push({ specifier: match[3] ?? "", line, typeOnly: match[2] !== undefined && match[2] !== "" });
    }
  }
  return found;
}

function withoutComments(source: string): string {
  let out = "";
  let at = 0;
  for (const comment of scan(source).comments) {
    out += source.slice(at, comment.start) + source.slice(comment.start, comment.end).replace(/[^\n]/g, " ");
    at = comment.end;
  }
  return out + source.slice(at);
}

function codePieces(source: string): { text: string; line: number }[] {
  return withoutComments(source)
    .split("\n")
    .map((text, index) => ({ text, line: index + 1 }));
}

/** Finds the comments, minding strings, templates and regular expressions that only look like them. */
function scan(source: string): { comments: { start: number; end: number }[] } {
  const comments: { start: number; end: number }[] = [];
  const templates: number[] = []; // brace depth at each open `${`
  let depth = 0;
  let at = 0;
  let before = "";
  while (at < source.length) {
    const char = source[at] ?? "";
    const next = source[at + 1] ?? "";
    if (char === "/" && (next === "/" || next === "*")) {
      const end = next === "/" ? source.indexOf("\n", at) : source.indexOf("*/", at + 2) + 2;
      const stop = end < 2 ? source.length : end;
      comments.push({ start: at, end: stop });
      at = stop;
      continue;
    }
    if (char === '"' || char === "'") {
      at = endOfQuoted(source, at, char);
      before = `${before}x`;
      continue;
    }
    if (char === "`" || (char === "}" && templates.at(-1) === depth)) {
      if (char === "}") templates.pop();
      const end = endOfTemplatePart(source, at + 1);
      if (end.opened) templates.push(depth);
      at = end.at;
      before = end.opened ? "(" : "x";
      continue;
    }
    if (char === "/" && REGEX_MAY_FOLLOW.test(before.trimEnd())) {
      at = endOfRegex(source, at);
      before = "x";
      continue;
    }
    if (char === "{") depth += 1;
    if (char === "}") depth -= 1;
    before = (before + char).slice(-12);
    at += 1;
  }
  return { comments };
}

function endOfQuoted(source: string, start: number, quote: string): number {
  let at = start + 1;
  while (at < source.length && source[at] !== quote && source[at] !== "\n") at += source[at] === "\\" ? 2 : 1;
  return at + 1;
}

function endOfTemplatePart(source: string, start: number): { at: number; opened: boolean } {
  let at = start;
  while (at < source.length) {
    if (source[at] === "`") return { at: at + 1, opened: false };
    if (source[at] === "$" && source[at + 1] === "{") return { at: at + 2, opened: true };
    at += source[at] === "\\" ? 2 : 1;
  }
  return { at, opened: false };
}

function endOfRegex(source: string, start: number): number {
  let at = start + 1;
  let inClass = false;
  while (at < source.length && source[at] !== "\n") {
    const char = source[at];
    if (char === "[") inClass = true;
    if (char === "]") inClass = false;
    if (char === "/" && !inClass) return at + 1;
    at += char === "\\" ? 2 : 1;
  }
  return at;
}
