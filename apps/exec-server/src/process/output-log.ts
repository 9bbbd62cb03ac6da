/** One piece of output with its place in the order of everything the process did. */
export interface OutputChunk {
  readonly seq: number;
  readonly stream: "stdout" | "stderr" | "pty";
  readonly bytes: Buffer;
}

/** The last output of one process, up to a size. The oldest goes first; the first `seq` kept shows the gap. */
export class OutputLog {
  readonly #maxBytes: number;
  #chunks: OutputChunk[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  append(chunk: OutputChunk): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.bytes.byteLength;
    let drop = 0;
    for (const oldest of this.#chunks) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#bytes -= oldest.bytes.byteLength;
      drop += 1;
    }
    if (drop > 0) this.#chunks = this.#chunks.slice(drop);
  }

  /** What follows `afterSeq`, up to `maxBytes` but at least one chunk. */
  after(afterSeq: number, maxBytes: number): { chunks: OutputChunk[]; isTruncated: boolean } {
    const chunks: OutputChunk[] = [];
    let bytes = 0;
    for (const chunk of this.#chunks) {
      if (chunk.seq <= afterSeq) continue;
      bytes += chunk.bytes.byteLength;
      if (chunks.length > 0 && bytes > maxBytes) return { chunks, isTruncated: true };
      chunks.push(chunk);
    }
    return { chunks, isTruncated: false };
  }
}
