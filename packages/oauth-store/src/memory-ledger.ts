import type { LineageNote } from "./lineage-note.ts";
import { createMemoryLock } from "./memory-lock.ts";
import type { SpendHeader } from "./spend-header.ts";
import {
  type ClaimedRecord,
  type FoundRecord,
  prunedRecord,
  type SpendLedger,
  spentTokenOf,
} from "./spend-ledger.ts";
import { MAX_SPENT_TOKENS, type SpentToken } from "./spent-list.ts";

interface MemoryRecord {
  readonly fingerprint: string;
  readonly attempt: number;
  header: SpendHeader;
  body: Uint8Array | undefined;
  open: boolean;
  writtenAtMs: number;
}

/** A ledger that lives and dies with its store object. */
export function createMemoryLedger(): SpendLedger {
  const records = new Map<string, MemoryRecord>();
  const spent = new Map<string, SpentToken>();
  const lock = createMemoryLock();
  let lineage: LineageNote | undefined;

  const nameOf = (record: { fingerprint: string; attempt: number }) =>
    `${record.fingerprint}.${record.attempt}`;
  const get = (record: FoundRecord) => records.get(nameOf(record));
  const found = ({ fingerprint, attempt, header, writtenAtMs }: MemoryRecord): FoundRecord => ({
    fingerprint,
    attempt,
    header,
    writtenAtMs,
  });

  return {
    lock: (options) => lock.acquire(options),
    readLineage: async () => lineage,
    async writeLineage(note) {
      lineage = note;
    },
    async attempts(fingerprint) {
      const kept = [...records.values()].filter((record) => record.fingerprint === fingerprint);
      const pruned = kept.length === 0 ? spent.get(fingerprint) : undefined;
      return pruned ? [prunedRecord(pruned)] : kept.map(found);
    },
    list: async () => [...records.values()].map(found),
    async claim(header): Promise<ClaimedRecord | undefined> {
      const name = nameOf(header);
      if (records.has(name)) return undefined;
      const { fingerprint, attempt } = header;
      const record: MemoryRecord = {
        fingerprint,
        attempt,
        header,
        body: undefined,
        open: true,
        writtenAtMs: Date.now(),
      };
      records.set(name, record);
      return {
        fingerprint,
        attempt,
        isIntact: () => records.get(name) === record,
        async seal(next, body) {
          record.body = body;
          record.header = next;
        },
        async write(next) {
          record.header = next;
        },
        close() {
          record.open = false;
        },
      };
    },
    ownerOf: async (record) => (get(record)?.open ? "alive" : "dead"),
    readBody: async (record) => get(record)?.body,
    async writeHeader(record, header) {
      const mine = get(record);
      if (mine) mine.header = header;
    },
    async wipeBody(record) {
      const mine = get(record);
      if (mine) mine.body = undefined;
    },
    async remove(record) {
      records.delete(nameOf(record));
      spent.delete(record.fingerprint);
    },
    async prune(record) {
      const token = spentTokenOf(record);
      if (token) spent.set(token.fingerprint, token);
      for (const oldest of spent.keys()) {
        if (spent.size <= MAX_SPENT_TOKENS) break;
        spent.delete(oldest);
      }
      records.delete(nameOf(record));
    },
  };
}
