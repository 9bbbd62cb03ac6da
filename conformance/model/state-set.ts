import type { State } from "./state.ts";

/** States seen, whole: an exact set, in one block of memory that grows, with how each was reached. */
export class StateSet {
  readonly #bytes: number;
  readonly #words: number;
  #arena: Uint32Array;
  #slots: Int32Array;
  #parents: Int32Array;
  #steps: Uint16Array;
  #size = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#words = bytes / 4;
    this.#arena = new Uint32Array(this.#words * 1024);
    this.#parents = new Int32Array(1024);
    this.#steps = new Uint16Array(1024);
    this.#slots = new Int32Array(4096).fill(-1);
  }

  get size(): number {
    return this.#size;
  }

  /** The number of the state; negative, minus one, when it is new. */
  add(state: State, parent: number, step: number): number {
    if (this.#size * 2 >= this.#slots.length) this.#rehash();
    const words = new Uint32Array(state.buffer, state.byteOffset, this.#words);
    const mask = this.#slots.length - 1;
    let slot = hash(words, 0, this.#words) & mask;
    for (;;) {
      const found = this.#slots[slot] as number;
      if (found < 0) break;
      if (this.#equals(found, words)) return found;
      slot = (slot + 1) & mask;
    }
    const index = this.#size;
    this.#reserve(index);
    this.#arena.set(words, index * this.#words);
    this.#parents[index] = parent;
    this.#steps[index] = step;
    this.#slots[slot] = index;
    this.#size += 1;
    return -index - 1;
  }

  /** A copy. */
  read(index: number, into: State): State {
    const start = index * this.#bytes;
    into.set(new Uint8Array(this.#arena.buffer, start, this.#bytes));
    return into;
  }

  parentOf(index: number): number {
    return this.#parents[index] as number;
  }

  stepInto(index: number): number {
    return this.#steps[index] as number;
  }

  #equals(index: number, words: Uint32Array): boolean {
    const start = index * this.#words;
    for (let word = 0; word < this.#words; word += 1) {
      if (this.#arena[start + word] !== words[word]) return false;
    }
    return true;
  }

  #reserve(index: number): undefined {
    if (index < this.#parents.length) return;
    const length = this.#parents.length * 2;
    this.#arena = grown(this.#arena, new Uint32Array(length * this.#words));
    this.#parents = grown(this.#parents, new Int32Array(length));
    this.#steps = grown(this.#steps, new Uint16Array(length));
  }

  #rehash(): undefined {
    this.#slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = this.#slots.length - 1;
    for (let index = 0; index < this.#size; index += 1) {
      let slot = hash(this.#arena, index * this.#words, this.#words) & mask;
      while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = index;
    }
  }
}

function hash(words: Uint32Array, start: number, length: number): number {
  let h = 0x811c9dc5;
  for (let word = start; word < start + length; word += 1) {
    h = Math.imul(h ^ (words[word] as number), 0x01000193);
    h ^= h >>> 15;
  }
  return h >>> 0;
}

function grown<T extends Uint32Array | Int32Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
