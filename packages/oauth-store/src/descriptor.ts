import { close, fsync, open, type PathLike, read, write, writeSync } from "node:fs";
import { promisify } from "node:util";

const openDescriptor: (path: PathLike, flags: number | string, mode?: number) => Promise<number> =
  promisify(open);
const closeDescriptor: (descriptor: number) => Promise<void> = promisify(close);

/** Waits until what was written is on the disk. */
export const syncDescriptor: (descriptor: number) => Promise<void> = promisify(fsync);

/** Writes all of `bytes` at `position`. */
export async function writeAt(descriptor: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += await writeSome(descriptor, bytes.subarray(done), position + done);
  }
}

/**
 * The same before it returns: from then on what was written outlives this process, though not yet a power failure.
 * For local files only; one on a network could stop everything.
 */
export function writeAtOnce(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}

/** Reads up to `length` bytes at `position`; fewer at the end of the file. */
export async function readAt(descriptor: number, length: number, position: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = await readSome(descriptor, bytes.subarray(done), position + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

/** Makes created, renamed and removed names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return; // A directory cannot be opened for that there; NTFS journals names.
  const descriptor = await openDescriptor(path, "r");
  try {
    await syncDescriptor(descriptor);
  } finally {
    await closeDescriptor(descriptor);
  }
}

function writeSome(descriptor: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, 0, bytes.length, position, (error, count) =>
      error ? reject(error) : resolve(count),
    );
  });
}

function readSome(descriptor: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, bytes, 0, bytes.length, position, (error, count) =>
      error ? reject(error) : resolve(count),
    );
  });
}
