/** Edges of the explored graph. */
export class EdgeList {
  #pairs = new Int32Array(4096);
  #length = 0;

  add(from: number, to: number): undefined {
    if (this.#length + 2 > this.#pairs.length) {
      const larger = new Int32Array(this.#pairs.length * 2);
      larger.set(this.#pairs);
      this.#pairs = larger;
    }
    this.#pairs[this.#length] = from;
    this.#pairs[this.#length + 1] = to;
    this.#length += 2;
  }

  /** A state from which none of `ends` can be reached, or -1: what is there waits for ever, or moves in circles. */
  unreached(size: number, ends: readonly number[]): number {
    const { first, sources } = this.#backwards(size);
    const reached = new Uint8Array(size);
    const open = [...ends];
    for (const end of ends) reached[end] = 1;
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      for (let edge = at(first, node); edge < at(first, node + 1); edge += 1) {
        const source = at(sources, edge);
        if (reached[source]) continue;
        reached[source] = 1;
        open.push(source);
      }
    }
    return reached.indexOf(0);
  }

  /** For each node, who leads to it: `sources` from `first[node]` up to `first[node + 1]`. */
  #backwards(size: number): { first: Int32Array; sources: Int32Array } {
    const first = new Int32Array(size + 1);
    for (let pair = 1; pair < this.#length; pair += 2) {
      const to = at(this.#pairs, pair);
      first[to + 1] = at(first, to + 1) + 1;
    }
    for (let node = 0; node < size; node += 1) first[node + 1] = at(first, node + 1) + at(first, node);
    const sources = new Int32Array(this.#length / 2);
    const next = first.slice();
    for (let pair = 0; pair < this.#length; pair += 2) {
      const to = at(this.#pairs, pair + 1);
      sources[at(next, to)] = at(this.#pairs, pair);
      next[to] = at(next, to) + 1;
    }
    return { first, sources };
  }
}

function at(numbers: Int32Array, index: number): number {
  return numbers[index] as number;
}
