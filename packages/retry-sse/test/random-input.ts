/** Numbers in [0, 1) that are the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the grammar cares about, and what nearly looks like it. */
const WORDS = [
  ...[
    "\n",
    "\n",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "data",
    "data:",
    "data: ",
    "data: a",
    "event:",
    "event: e",
    "id",
    "id: 7",
  ],
  ...[
    "id: \0",
    "retry: 5",
    "retry: x",
    "retry:99999999999999999999",
    ":",
    ": c",
    "datas: x",
    "Data: x",
    " data: x",
  ],
  ...["\uFEFF", "\0", "é", "€", "😀", "x".repeat(70), "unknown", "=", "__proto__: x", "\u2028", "\u0085"],
].map((word) => new TextEncoder().encode(word));

/** Bytes of any kind, or words of the grammar in any order, with bytes flipped now and then. */
export function randomBytes(random: () => number): Uint8Array {
  const length = Math.floor(random() ** 2 * 300);
  const bytes = new Uint8Array(length);
  if (random() < 0.3) {
    for (let index = 0; index < length; index++) bytes[index] = random() * 256;
    return bytes;
  }
  for (let at = 0; at < length; ) {
    const word = WORDS[Math.floor(random() * WORDS.length)] ?? new Uint8Array(1);
    bytes.set(word.subarray(0, length - at), at);
    at += word.length;
  }
  if (random() < 0.3 && length > 0) bytes[Math.floor(random() * length)] = random() * 256;
  return bytes;
}

/** The bytes in pieces, empty ones among them. */
export function randomPieces(bytes: Uint8Array, random: () => number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const longest = 1 + random() * 40;
  for (let at = 0; at < bytes.length; ) {
    const size = Math.floor(random() * longest);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
