import { rename } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

export interface RenamePatientlyOptions {
  /** @defaultValue this one */
  readonly platform?: NodeJS.Platform | undefined;
  /** @defaultValue fs.rename */
  readonly rename?: ((from: string, to: string) => Promise<void>) | undefined;
  /** @defaultValue a timer */
  readonly pause?: ((delayMs: number) => Promise<unknown>) | undefined;
}

const FIRST_PAUSE_MS = 10;
const TRIES = 8;
const BUSY: ReadonlySet<string> = new Set(["EPERM", "EACCES", "EBUSY"]);

/**
 * Renames over a file. On Windows a reader or a virus scanner that has the file open makes that fail for a moment:
 * there it is tried again for about 2.5 s.
 */
export async function renamePatiently(
  from: string,
  to: string,
  options: RenamePatientlyOptions = {},
): Promise<void> {
  const { platform = process.platform, rename: move = rename, pause = sleep } = options;
  for (let tries = 1; ; tries += 1) {
    try {
      return await move(from, to);
    } catch (error) {
      const errno = (error as NodeJS.ErrnoException).code ?? "";
      if (platform !== "win32" || tries === TRIES || !BUSY.has(errno)) throw error;
    }
    await pause(FIRST_PAUSE_MS * 2 ** (tries - 1));
  }
}
