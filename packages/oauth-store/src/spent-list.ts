import { appendFileSync, closeSync, constants, existsSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { syncDescriptor, syncDirectory } from "./descriptor.ts";
import { fileError } from "./file-error.ts";
import { readRegularFile } from "./read-regular-file.ts";
import { sweepTemporaryFiles, writeFileAtomic } from "./write-file-atomic.ts";

/** What is remembered of a refresh token whose record is gone: that it was spent, and whose it was. */
export interface SpentToken {
  readonly fingerprint: string;
  readonly lineage: string;
  readonly generation: number;
}

interface SpentList {
  find(fingerprint: string): Promise<SpentToken | undefined>;
  /** Durable when it resolves. */
  add(token: SpentToken): Promise<void>;
  forget(fingerprint: string): Promise<void>;
}

/** Refresh tokens remembered; at one refresh an hour, those of six weeks. */
export const MAX_SPENT_TOKENS = 1024;

interface SpentListOptions {
  /** For tests: called between the steps. */
  readonly faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}

const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW = 0 } = constants;

/** A file with a line for each, the oldest first. Lines are added at the end; a torn one is none. */
export function openSpentList(path: string, { faultPoint }: SpentListOptions = {}): SpentList {
  const options = { faultPoint: faultPoint && ((name: string) => faultPoint(`spent/${name}`)) };
  const readText = async () => (await readRegularFile(path)) ?? "";

  function parse(text: string): readonly SpentToken[] {
    return text.split("\n").flatMap((line) => {
      const [, fingerprint, lineage, generation] =
        /^([0-9a-f]{32}) ([0-9a-f]{32}) (\d{1,9})$/.exec(line) ?? [];
      return fingerprint && lineage ? [{ fingerprint, lineage, generation: Number(generation) }] : [];
    });
  }

  async function write(tokens: readonly SpentToken[]): Promise<void> {
    await sweepTemporaryFiles(path, options);
    await writeFileAtomic(path, tokens.map(lineOf).join(""), options);
    await faultPoint?.("spent/written");
  }

  return {
    async find(fingerprint) {
      const text = await readText();
      // Asked at every refresh, and nearly never there.
      if (!text.includes(fingerprint)) return undefined;
      return parse(text).findLast((token) => token.fingerprint === fingerprint);
    },

    async add(token) {
      const known = parse(await readText());
      if (known.length >= 2 * MAX_SPENT_TOKENS) {
        await write([...known.slice(1 - MAX_SPENT_TOKENS), token]);
        return;
      }
      const isNew = !existsSync(path);
      const descriptor = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
      try {
        if (isNew) await faultPoint?.("spent/created");
        // Begins a line of its own, whatever a process that was killed has left of the last.
        appendFileSync(descriptor, `\n${lineOf(token)}`);
        await faultPoint?.("spent/unsynced");
        await syncDescriptor(descriptor);
        await faultPoint?.("spent/added");
      } catch (error) {
        throw fileError(error, path);
      } finally {
        closeSync(descriptor);
      }
      if (!isNew) return;
      await syncDirectory(dirname(path));
      await faultPoint?.("spent/directory-synced");
    },

    async forget(fingerprint) {
      const text = await readText();
      if (!text.includes(fingerprint)) return;
      await write(parse(text).filter((token) => token.fingerprint !== fingerprint));
    },
  };
}

function lineOf({ fingerprint, lineage, generation }: SpentToken): string {
  return `${fingerprint} ${lineage} ${generation}\n`;
}
