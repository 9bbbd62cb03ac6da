/**
 * Follows the frames of a zstd stream (RFC 8878, 3.1) without decoding them, and knows whether it ended where a frame
 * ends: Node 22's decoder takes a stream that was cut for a whole one.
 */
export class ZstdFrames {
  #collected: number[] = [];
  #wanted = 4;
  #skipBytes = 0;
  #read: (field: readonly number[]) => void = (field) => this.#readMagic(field);
  #hasChecksum = false;
  #isBroken = false;
  #isStarted = false;
  #isInFrame = false;

  /** Whether what was fed so far is one frame or several, whole. */
  get isWhole(): boolean {
    const isBetweenFrames = this.#skipBytes === 0 && this.#collected.length === 0 && !this.#isInFrame;
    return this.#isStarted && !this.#isBroken && isBetweenFrames;
  }

  feed(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length && !this.#isBroken) {
      const skipped = Math.min(this.#skipBytes, piece.length - at);
      this.#skipBytes -= skipped;
      at += skipped;
      if (at === piece.length) return;
      this.#collected.push(piece[at] ?? 0);
      at += 1;
      if (this.#collected.length < this.#wanted) continue;
      const field = this.#collected;
      this.#collected = [];
      this.#read(field);
    }
  }

  #expect(bytes: number, read: (field: readonly number[]) => void): void {
    this.#wanted = bytes;
    this.#read = read;
  }

  #frameEnded(): void {
    this.#isInFrame = false;
    this.#expect(4, (field) => this.#readMagic(field));
  }

  #readMagic(field: readonly number[]): void {
    this.#isStarted = true;
    this.#isInFrame = true;
    const magic = number(field);
    if (magic === FRAME) this.#expect(1, (next) => this.#readDescriptor(next));
    else if (magic >= SKIPPABLE && magic <= SKIPPABLE + 15)
      this.#expect(4, (next) => this.#readSkippable(next));
    else this.#isBroken = true;
  }

  #readSkippable(field: readonly number[]): void {
    this.#skipBytes = number(field);
    this.#frameEnded();
  }

  #readDescriptor([descriptor = 0]: readonly number[]): void {
    const isSingleSegment = (descriptor & 0x20) !== 0;
    this.#hasChecksum = (descriptor & 0x04) !== 0;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
    const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
    this.#skipBytes = (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
    this.#expect(3, (next) => this.#readBlock(next));
  }

  #readBlock(field: readonly number[]): void {
    const header = number(field);
    const isRepeatedByte = ((header >> 1) & 3) === 1;
    this.#skipBytes = isRepeatedByte ? 1 : header >> 3;
    const isLast = (header & 1) === 1;
    if (!isLast) return;
    if (this.#hasChecksum) this.#skipBytes += 4;
    this.#frameEnded();
  }
}

const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;

function number(littleEndian: readonly number[]): number {
  return littleEndian.reduceRight((sum, byte) => sum * 256 + byte, 0);
}
