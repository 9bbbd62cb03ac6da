/**
 * One state of the model: bytes, so that a million of them fit and compare fast. Process numbers are 0 to 2;
 * credentials are 1 to 8: two logins (families) of four generations each; 0 is none.
 */
export type State = Uint8Array;

const PROCESSES = 3;
export const GENERATIONS = 4;
const CREDENTIALS = 8;
export const ATTEMPTS = 6;

/** What is kept beside the processes. */
export const STORE = 0;
export const BACKUP = 1;
/** Processes that hold the lock at its path, and those that hold one whose file is gone. */
export const HOLDERS = 2;
export const ORPHANS = 3;
/** The authorization server: newest generation of each family, and what is true of the family. */
export const NEWEST = 4;
export const FAMILY = 6;
export const REVOKED = 1;
export const GRACE = 2;
/** Who is logged in by the user's word: a family plus one, or 0. Ghost. */
export const LOGIN = 8;
/** Access tokens that have run out, one bit each. */
export const EXPIRED = 9;
/** Windows of the specification that this run went through. Ghost. */
export const WINDOWS = 10;
/** What a foreign writer has been given and will save. */
export const FOREIGN = 11;
/** A broken promise, or 0. */
export const BROKEN = 12;
/** Whether the store cannot be written, foreseeably. */
export const UNWRITABLE = 13;
/** What is left of each kind of fault. */
export const BUDGET = 14;
const FAULTS = 20;
/** What is true of each refresh token. Ghost. */
export const SENDS = BUDGET + FAULTS;
/** Two bytes for each attempt at each refresh token. */
export const RECORDS = SENDS + CREDENTIALS + 1;
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
export const REJECTED = 10;
export const BASE = 11;
export const NEXT = 12;
export const ATTEMPT = 13;
export const MODE = 14;
export const FLAGS = 15;
export const REQUEST = 16;
export const ANSWER = 17;
export const ASKED = 18;
export const PENDING = 19;
export const RESULT = 20;
export const PREPARED = 21;
/** The attempt that was judged, and its state then. */
export const JUDGED = 22;
const PROCESS_BYTES = 23;

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

export function familyOf(credential: number): number {
  return (credential - 1) >> 2;
}

export function generationOf(credential: number): number {
  return (credential - 1) & 3;
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
/** The store had moved on before this claim was made. Ghost. */
export const STALE_CLAIM = 8;
export const SIGNED_OUT = 16;
/** The successor could not be sealed. */
export const UNSEALED = 32;
/** This process's own last attempt is put off. */
export const OWN_BACKOFF = 64;
/** Somebody logged in or out after the login made here. Ghost. */
export const LATER_WORD = 128;
