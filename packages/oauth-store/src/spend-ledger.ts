import type { LineageNote } from "./lineage-note.ts";
import type { HeldLock } from "./lock-provider.ts";
import type { SpendHeader } from "./spend-header.ts";

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
  /** All attempts at one refresh token, in no order. */
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
  remove(record: FoundRecord): Promise<void>;
}

/** Smallest body of a record: with the header, 64 KiB. */
export const MIN_BODY_BYTES: number = 60 * 1024;
