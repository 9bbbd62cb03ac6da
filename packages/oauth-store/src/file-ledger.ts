import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "./descriptor.ts";
import { isCredentialError } from "./errors.ts";
import { pathHash } from "./fingerprint.ts";
import { formatLineageNote, parseLineageNote } from "./lineage-note.ts";
import type { LockProvider } from "./lock-provider.ts";
import { readRegularFile } from "./read-regular-file.ts";
import { openRecordFiles } from "./record-files.ts";
import { assertPrivateDirectory, ensurePrivateDirectory } from "./safe-path.ts";
import { type FoundRecord, prunedRecord, type SpendLedger, spentTokenOf } from "./spend-ledger.ts";
import { openSpentList } from "./spent-list.ts";
import { sweepTemporaryFiles, writeFileAtomic } from "./write-file-atomic.ts";

export interface FileLedgerOptions {
  readonly home: string;
  readonly key: string;
  readonly locks: LockProvider;
  /** @defaultValue `locks/<sha256 of the key>.lock` in the home */
  readonly lockPath?: string | undefined;
  readonly faultPoint?: ((name: string) => void | Promise<void>) | undefined;
}

/** The ledger of one credential in a home: a lock file, and a directory with its records and its lineage note. */
export function createFileLedger(options: FileLedgerOptions): SpendLedger {
  const { home, key, locks, faultPoint } = options;
  const { lockPath = join(home, "locks", `${pathHash(key)}.lock`) } = options;
  const directory = join(home, "spend", pathHash(key));
  const lineagePath = join(directory, "lineage");
  const files = openRecordFiles({ directory, locks, faultPoint });
  let isDurable = false;
  const spent = openSpentList(join(directory, "spent"), { faultPoint });

  async function ensureDirectory(): Promise<void> {
    const isThere = existsSync(directory);
    if (isThere) assertPrivateDirectory(directory);
    else {
      ensurePrivateDirectory(home);
      ensurePrivateDirectory(directory);
      await faultPoint?.("records/directory-made");
    }
    if (isThere && isDurable) return;
    // Also one that was found there: whoever made it may have been killed before it was on the disk.
    await syncDirectory(dirname(directory));
    await syncDirectory(home);
    isDurable = true;
    await faultPoint?.("records/directory-synced");
  }

  async function names(): Promise<{ fingerprint: string; attempt: number }[]> {
    const all = await readdir(directory).catch(() => []); // No directory: nothing was ever spent.
    return all.flatMap((name) => {
      const [, fingerprint, attempt] = /^([0-9a-f]{32})\.([1-9][0-9]{0,8})$/.exec(name) ?? [];
      return fingerprint && attempt ? [{ fingerprint, attempt: Number(attempt) }] : [];
    });
  }

  /** Those of a newer version are that version's to tidy up, and are left out where no refresh depends on them. */
  async function readKnown(): Promise<readonly FoundRecord[]> {
    const found: FoundRecord[] = [];
    for (const name of await names()) {
      try {
        const record = await files.read(name);
        if (record) found.push(record);
      } catch (error) {
        if (!isCredentialError(error) || error.code !== "ERR_OAUTH_STORE_UNSUPPORTED") throw error;
      }
    }
    return found;
  }

  return {
    lock: ({ timeoutMs, signal }) => locks.acquire(lockPath, { timeoutMs, signal }),

    async readLineage() {
      const text = await readRegularFile(lineagePath);
      return text === undefined ? undefined : parseLineageNote(text);
    },

    async writeLineage(note) {
      await ensureDirectory();
      const options = { faultPoint: faultPoint && ((name: string) => faultPoint(`lineage/${name}`)) };
      await sweepTemporaryFiles(lineagePath, options);
      await writeFileAtomic(lineagePath, formatLineageNote(note), options);
    },

    async attempts(fingerprint) {
      const mine = (await names()).filter((name) => name.fingerprint === fingerprint);
      const found = (await Promise.all(mine.map((name) => files.read(name)))).filter(
        (record) => record !== undefined,
      );
      const pruned = found.length === 0 ? await spent.find(fingerprint) : undefined;
      return pruned ? [prunedRecord(pruned)] : found;
    },
    list: readKnown,

    async claim(header, { bodyBytes }) {
      await ensureDirectory();
      return files.claim(header, bodyBytes);
    },
    ownerOf: (record) => files.ownerOf(record),
    readBody: (record) => files.readBody(record),
    writeHeader: (record, header) => files.writeHeader(record, header),
    wipeBody: (record) => files.wipeBody(record),
    async remove(record) {
      await files.remove(record);
      await spent.forget(record.fingerprint);
    },
    async prune(record) {
      const token = spentTokenOf(record);
      if (token) await spent.add(token);
      await files.remove(record);
    },
  };
}
