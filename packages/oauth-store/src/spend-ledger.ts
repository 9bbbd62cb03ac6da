import type { LineageNote } from "./lineage-note.ts";
import type { HeldLock } from "./lock-provider.ts";
import type { SpendHeader } from "./spend-header.ts";
import type { SpentToken } from "./spent-list.ts";

/** A record that exists. `header` is undefined when it cannot be read. */
export interface FoundRecord {
  readonly fingerprint: string;
  readonly attempt: number;
  readonly header: SpendHeader | undefined;
  /** When the record was last written, by the clock of the file system. */
  readonly writtenAtMs: number;
}

/**
 * `dead`: a lock the claimant would still hold is free. `alive`: it is not. `unproven`: it is free, and on this file
 * system that proves nothing.
 */
export type OwnerProof = "dead" | "alive" | "unproven";

/** A record that this process claimed and keeps locked until it closes it. */
export interface ClaimedRecord {
  readonly fingerprint: string;
  readonly attempt: number;
  /** Whether it is still the file at its path. */
  isIntact(): boolean;
  /** Writes and syncs the body, then the header. */
  seal(header: SpendHeader, body: Uint8Array): Promise<void>;
  /** Writes and syncs the header. */
  write(header: SpendHeader): Promise<void>;
  /** Gives up the record's lock, as soon as nothing is being written. Safe to call twice. */
  close(): void;
}

/** Everything that is kept beside the store for one credential: its lock, its spend records, its lineage. */
export interface SpendLedger {
  lock(options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<HeldLock>;
  readLineage(): Promise<LineageNote | undefined>;
  /** Durable when it resolves. */
  writeLineage(note: LineageNote): Promise<void>;
  /** All attempts at one refresh token, in no order. One that was pruned is settled, and has no body. */
  attempts(fingerprint: string): Promise<readonly FoundRecord[]>;
  /** All records, in no order. */
  list(): Promise<readonly FoundRecord[]>;
  /** Creates the record, exclusively; undefined when it exists. Durable when it resolves. */
  claim(header: SpendHeader, options: { bodyBytes: number }): Promise<ClaimedRecord | undefined>;
  /** Tries the claimant's lock once. */
  ownerOf(record: FoundRecord): Promise<OwnerProof>;
  readBody(record: FoundRecord): Promise<Uint8Array | undefined>;
  /** By the holder of `lock` only. */
  writeHeader(record: FoundRecord, header: SpendHeader): Promise<void>;
  wipeBody(record: FoundRecord): Promise<void>;
  /** Forgets it: the refresh token counts as never spent. */
  remove(record: FoundRecord): Promise<void>;
  /** Removes it to save room. Of a refresh token that has a successor it stays known that it was spent, and whose it was. */
  prune(record: FoundRecord): Promise<void>;
}

/** What is known of a refresh token whose record was pruned. */
export function prunedRecord(token: SpentToken): FoundRecord {
  const header: SpendHeader = {
    version: 1,
    ...token,
    state: "settled",
    attempt: 1,
    reason: "expiry",
    claimedAtMs: 0,
    leaseUntilMs: 0,
    failures: 0,
    uncertain: false,
    snapshotHash: "",
    clientHash: "",
    owner: { host: "", boot: "", pid: 0 },
  };
  return { fingerprint: token.fingerprint, attempt: 1, header, writtenAtMs: 0 };
}

/** What is to be remembered of a record that is pruned: nothing where its refresh token may still be good. */
export function spentTokenOf({ header }: FoundRecord): SpentToken | undefined {
  if (header?.state !== "settled" && header?.state !== "sealed") return undefined;
  const { fingerprint, lineage, generation } = header;
  return { fingerprint, lineage, generation };
}

/** Smallest body of a record: with the header, 64 KiB. */
export const MIN_BODY_BYTES: number = 60 * 1024;
