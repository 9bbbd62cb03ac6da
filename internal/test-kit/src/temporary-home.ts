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

/** Makes a fresh home under the system's temporary directory. */
export async function temporaryHome(): Promise<TemporaryHome> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "hawser-test-")));
  const file = (...segments: string[]) => join(path, ...segments);
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 3 });
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
