import { countingRecord } from "./counting-record.ts";
import type { JsonValue } from "./credential-kind.ts";
import type { StoreReadOptions } from "./credential-store.ts";
import type { Engine } from "./engine.ts";
import { CredentialError, isCredentialError } from "./errors.ts";
import { bearerHash, clientHash, fingerprint, snapshotHash } from "./fingerprint.ts";
import { type CredentialIdentity, type CredentialMarks, identify } from "./identify.ts";
import type { LineageNote } from "./lineage-note.ts";
import { openSealed } from "./sealed-answer.ts";
import type { FoundRecord } from "./spend-ledger.ts";

/** What the store holds, and everything that is known about it. */
export interface StoredCredential<C> {
  readonly entry: JsonValue;
  readonly credential: C;
  readonly refreshToken: string | undefined;
  readonly marks: CredentialMarks;
  readonly clientHash: string;
  readonly identity: CredentialIdentity;
  readonly note: LineageNote | undefined;
  /** All attempts at its refresh token, and the one of them that counts. */
  readonly attempts: readonly FoundRecord[];
  readonly record: FoundRecord | undefined;
}

type Lookup<C, V> = Pick<Engine<C, V>, "kind" | "store" | "key" | "ledger">;

/** Rereads the store, by the holder of the lock. */
export async function look<C, V>(engine: Lookup<C, V>): Promise<StoredCredential<C> | undefined> {
  const entry = await readEntry(engine);
  return entry === undefined ? undefined : describe(engine, entry, await engine.ledger.readLineage());
}

/**
 * Rereads the store without the lock. The note is written before each save, so a note that is the same before and
 * after the read names what was read.
 */
export async function peek<C, V>(
  engine: Lookup<C, V>,
  options?: StoreReadOptions,
): Promise<StoredCredential<C> | undefined> {
  let before = await engine.ledger.readLineage();
  for (let reads = 0; ; reads += 1) {
    const entry = await readEntry(engine, options);
    const after = await engine.ledger.readLineage();
    if (reads === 3 || JSON.stringify(before) === JSON.stringify(after)) {
      return entry === undefined ? undefined : describe(engine, entry, after);
    }
    before = after;
  }
}

/** Names a credential by its content. */
export function marksOf<C, V>(
  engine: Pick<Engine<C, V>, "kind" | "key">,
  credential: C,
  entry: JsonValue,
): CredentialMarks {
  const { kind, key } = engine;
  const refreshToken = kind.spendable(credential);
  const bearer = kind.bearer(credential);
  return {
    fingerprint: refreshToken === undefined ? undefined : fingerprint(key, refreshToken),
    bearerHash: bearer === undefined ? undefined : bearerHash(key, bearer),
    snapshotHash: snapshotHash(key, entry),
  };
}

/** Parses an entry; what the kind throws about it may quote it and is dropped. */
export function parseEntry<C, V>(engine: Pick<Engine<C, V>, "kind">, entry: JsonValue): C {
  try {
    return engine.kind.parse(entry);
  } catch {
    throw new CredentialError("ERR_OAUTH_STORE_CORRUPT", "the stored credential cannot be used as it is");
  }
}

async function readEntry<C, V>(
  engine: Lookup<C, V>,
  options?: StoreReadOptions,
): Promise<JsonValue | undefined> {
  try {
    return await engine.store.read(engine.key, options);
  } catch (error) {
    if (isCredentialError(error)) throw error;
    throw new CredentialError(
      "ERR_OAUTH_STORE_TRANSIENT",
      `the ${engine.store.name} store could not be read; no other store is used instead`,
      { reason: "store-read" },
    );
  }
}

async function describe<C, V>(
  engine: Lookup<C, V>,
  entry: JsonValue,
  note: LineageNote | undefined,
): Promise<StoredCredential<C>> {
  const { kind, key, ledger } = engine;
  const credential = parseEntry(engine, entry);
  const marks = marksOf(engine, credential, entry);
  const attempts = marks.fingerprint === undefined ? [] : await ledger.attempts(marks.fingerprint);
  const named = (record: FoundRecord | undefined): StoredCredential<C> => ({
    entry,
    credential,
    refreshToken: kind.spendable(credential),
    marks,
    clientHash: clientHash(kind.issuer(credential), kind.client(credential)),
    identity: identify(key, marks, note, record?.header),
    note,
    attempts,
    record,
  });
  const counting = countingRecord(attempts);
  if (!counting || counting.header?.state === "settled") return named(counting);
  // An answer that opens comes before whatever was claimed since by somebody who did not know of it.
  const below = attempts.filter(
    ({ attempt, header }) => attempt < counting.attempt && header?.state === "sealed",
  );
  for (const record of below.toSorted((a, b) => b.attempt - a.attempt)) {
    const body = await ledger.readBody(record);
    if (body && openSealed(engine, named(record), body)) return named(record);
  }
  return named(counting);
}
