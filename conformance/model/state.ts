/**
 * One state of the model: bytes, so that a million of them fit and compare fast. Process numbers are 0 to 2;
 * credentials are 1 to 15: three logins (families) of five generations each; 0 is none.
 */
export type State = Uint8Array;

const PROCESSES = 3;
export const FAMILIES = 3;
export const GENERATIONS = 5;
export const CREDENTIALS: number = FAMILIES * GENERATIONS;
export const ATTEMPTS = 8;

/** What is kept beside the processes. */
export const STORE = 0;
export const BACKUP = 1;
/** Processes that hold the lock at its path, and those that hold one whose file is gone. */
export const HOLDERS = 2;
export const ORPHANS = 3;
/** Who is logged in by the user's word: a family plus one, or 0. Ghost. */
export const LOGIN = 4;
/** Logins that were logged out, one bit for each family. Ghost. */
export const ENDED = 5;
/** Windows of the specification that this run went through. Ghost. */
export const WINDOWS = 6;
/** What a foreign writer has been given and will save. */
export const FOREIGN = 7;
/** A broken promise, or 0. */
export const BROKEN = 8;
/** Whether the store cannot be written, foreseeably. */
export const UNWRITABLE = 9;
/** Access tokens that have run out: two bytes, one bit each. */
export const EXPIRED = 10;
/** What was issued to somebody else, as above. Ghost: only the server knows. */
export const OTHERS = 12;
/** The authorization server: newest generation of each family, and what is true of the family. */
export const NEWEST = 14;
export const FAMILY: number = NEWEST + FAMILIES;
export const REVOKED = 1;
export const GRACE = 2;
/** What is left of each kind of fault. */
export const BUDGET: number = FAMILY + FAMILIES;
const FAULTS = 20;
/** What is true of each refresh token. Ghost. */
export const SENDS: number = BUDGET + FAULTS;
/** Two bytes for each attempt at each refresh token. */
export const RECORDS: number = SENDS + CREDENTIALS + 1;
const PROCESS = RECORDS + CREDENTIALS * ATTEMPTS * 2;

/** Per process. */
export const PC = 0;
export const GOAL = 1;
export const NOT = 2;
export const ROUND = 3;
export const CURRENT = 4;
export const UNSAVED = 5;
export const UNSAVED_NEXT = 6;
export const UNSAVED_BASE = 7;
export const UNSAVED_ATTEMPT = 8;
export const OVER = 9;
/** Two bytes, one bit for each credential. */
export const REJECTED = 10;
export const BASE = 12;
export const NEXT = 13;
export const ATTEMPT = 14;
export const MODE = 15;
export const FLAGS = 16;
export const REQUEST = 17;
export const ANSWER = 18;
export const ASKED = 19;
export const PENDING = 20;
export const RESULT = 21;
/** What the operation that asks was prepared with. */
export const PREPARED = 22;
/** The attempt that was judged, and its state then. */
export const JUDGED = 23;
/** The attempts there were then, but those that were given back: one bit each. */
export const JUDGED_BESIDE = 26;
/** Logins that this process was told to end, one bit for each family. Ghost. */
export const SIGNED_OFF = 24;
/** Whether its request outlived its lease: what becomes of it is nobody's business any more. Ghost. */
export const OVERSLEPT = 25;
const PROCESS_BYTES = 27;

export const STATE_BYTES: number = Math.ceil((PROCESS + PROCESSES * PROCESS_BYTES) / 4) * 4;

export function at(process: number, field: number): number {
  return PROCESS + process * PROCESS_BYTES + field;
}

export function get(s: State, offset: number): number {
  return s[offset] as number;
}

export function of(s: State, process: number, field: number): number {
  return s[at(process, field)] as number;
}

/** Whether a credential's bit is set, in the two bytes at an offset. */
export function hasBit(s: State, offset: number, credential: number): boolean {
  return (get(s, offset + ((credential - 1) >> 3)) & (1 << ((credential - 1) & 7))) !== 0;
}

export function setBit(s: State, offset: number, credential: number): undefined {
  const byte = offset + ((credential - 1) >> 3);
  s[byte] = get(s, byte) | (1 << ((credential - 1) & 7));
}

export function dropBit(s: State, offset: number, credential: number): undefined {
  const byte = offset + ((credential - 1) >> 3);
  s[byte] = get(s, byte) & ~(1 << ((credential - 1) & 7));
}

export function familyOf(credential: number): number {
  return Math.floor((credential - 1) / GENERATIONS);
}

export function generationOf(credential: number): number {
  return (credential - 1) % GENERATIONS;
}

export function credentialOf(family: number, generation: number): number {
  if (generation >= GENERATIONS)
    throw new RangeError("the scenario needs more generations than the model has");
  return 1 + family * GENERATIONS + generation;
}

export function hasFlag(s: State, process: number, flag: number): boolean {
  return (of(s, process, FLAGS) & flag) !== 0;
}

export function setFlag(s: State, process: number, flag: number): undefined {
  s[at(process, FLAGS)] = of(s, process, FLAGS) | flag;
}

export function dropFlag(s: State, process: number, flag: number): undefined {
  s[at(process, FLAGS)] = of(s, process, FLAGS) & ~flag;
}

/** A login or logout was made in this process since its hold began. */
export const EPOCH_MOVED = 1;
export const DRIFTED = 2;
export const FROZEN = 4;
/** When a claim was looked at again the store no longer held its token, or its answer lay sealed. Ghost. */
export const STALE_CLAIM = 8;
export const SIGNED_OUT = 16;
/** The successor could not be sealed. */
export const UNSEALED = 32;
/** This process's own last attempt is put off. */
export const OWN_BACKOFF = 64;
/** Somebody logged in or out after the login made here. Ghost. */
export const LATER_WORD = 128;
