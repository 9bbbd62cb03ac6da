import { type Channel, channel } from "node:diagnostics_channel";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory of one test, mode 0700, removed with everything in it on disposal. */
export interface TemporaryHome extends AsyncDisposable {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Joins onto `path`. */
  file(...segments: string[]): string;
  /** Writes a file of mode 0600 directly under the home and returns its path. */
  write(name: string, text: string): Promise<string>;
  /** The same as disposal, for files that Node 22 runs unbuilt. */
  remove(): Promise<void>;
}

/** Told the path of each home that is about to be removed: for whoever looks through what a test leaves. */
export const homeEnding: Channel = channel("hawser.test-kit.home-ending");

/** Makes a fresh home under the system's temporary directory. */
export async function temporaryHome(): Promise<TemporaryHome> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "hawser-test-")));
  const file = (...segments: string[]) => join(path, ...segments);
  let removed: Promise<void> | undefined;
  const remove = () => {
    if (removed) return removed;
    homeEnding.publish(path);
    removed = rm(path, { recursive: true, force: true, maxRetries: 3 });
    return removed;
  };
  return {
    path,
    file,
    async write(name, text) {
      await writeFile(file(name), text, { mode: 0o600 });
      return file(name);
    },
    remove,
    [Symbol.asyncDispose]: remove,
  };
}
