import type { HttpResponse } from "@hawser/transport";

/** Deepest nesting of a document about a login. Deeper ones take seconds to read and say nothing more. */
export const maxJsonDepth = 64;

/** Reads a body of at most `maxBytes`; undefined when it is longer. Ends the response. */
export async function readBytes(response: HttpResponse, maxBytes: number): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body) {
    length += piece.byteLength;
    if (length > maxBytes) {
      await response.cancel();
      return undefined;
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Parses JSON nested at most 64 deep; undefined for anything else. Never repeats what it read. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes);
  if (depthOf(text) > maxJsonDepth) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote the document.
    return undefined;
  }
}

/** Brackets outside strings, in one pass. Right for JSON; for anything else the parser objects anyway. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === backslash) at += 1;
      else if (code === quote) inString = false;
    } else if (code === quote) inString = true;
    else if (code === openBrace || code === openBracket) deepest = Math.max(deepest, ++depth);
    else if (code === closeBrace || code === closeBracket) depth -= 1;
  }
  return deepest;
}

const quote = 0x22;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
