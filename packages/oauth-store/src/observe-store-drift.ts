import { join } from "node:path";
import { z } from "zod";
import { isCredentialError } from "./errors.ts";
import { flockProvider } from "./flock-provider.ts";
import { parseJsonText } from "./json-text.ts";
import type { LockProvider } from "./lock-provider.ts";
import { readRegularFile } from "./read-regular-file.ts";
import type { ResolvedPlace, StoreResolutionEvent, StoreResolutionReason } from "./store-resolution.ts";
import { sweepTemporaryFiles, writeFileAtomic } from "./write-file-atomic.ts";

/** A credential is looked for in another store than last time, though the configuration is the same. */
export interface StoreDriftReport {
  /** From the store key, printable, 120 characters at most. */
  readonly serverName: string;
  /** Where it was last time. */
  readonly previous: ResolvedPlace;
  /** Where it is now. */
  readonly resolved: ResolvedPlace;
  /** How that came. */
  readonly reason: StoreResolutionReason;
}

/** Where resolutions are remembered, and who is told. */
export interface StoreDriftOptions {
  /** The directory of the state file, which must be there. */
  readonly home: string;
  /** The state file. @defaultValue `.mcp-oauth-store-resolutions.json` in the home */
  readonly path?: string | undefined;
  /** Its lock. @defaultValue `locks/store-resolutions.lock` in the home */
  readonly lockPath?: string | undefined;
  /** What takes that lock. @defaultValue flockProvider() */
  readonly locks?: LockProvider | undefined;
  /** Told of each drift, once; what it throws is dropped. */
  readonly onDrift: (report: StoreDriftReport) => void;
  /** Told once, with a code, when the state cannot be kept. @defaultValue nobody is told */
  readonly onFailure?: ((code: string) => void) | undefined;
}

/** Watches where credentials resolve to, across processes and starts. */
export interface StoreDriftObserver {
  /** Takes note of a resolution; returns at once and never throws. Give it to a recipe as `onEvent`. */
  observe(event: StoreResolutionEvent): void;
  /** Resolves when what was observed is written, or given up. */
  settle(): Promise<void>;
}

const VERSION = 1;
const LOCK_TIMEOUT_MS = 250;
const MAX_ENTRIES = 1000;

const entrySchema = z.looseObject({
  store_mode: z.string(),
  keyring_backend: z.string(),
  resolved_store: z.string(),
});
const stateSchema = z.looseObject({
  version: z.number(),
  resolutions: z.record(z.string(), z.unknown()),
});

/**
 * Reports when `auto` finds a credential in another store than before, and does nothing else about it: no login
 * depends on the state file, its lock is waited for 250 ms at most and never by a caller, and whatever is wrong with
 * it is told once. The file names servers, modes and stores; no token, URL, client or error text.
 */
export function observeStoreDrift(options: StoreDriftOptions): StoreDriftObserver {
  const { home, locks = flockProvider(), onDrift, onFailure } = options;
  const {
    path = join(home, ".mcp-oauth-store-resolutions.json"),
    lockPath = join(home, "locks", "store-resolutions.lock"),
  } = options;
  let tail: Promise<void> = Promise.resolve();
  let hasFailed = false;

  const fail = (code: string) => {
    if (hasFailed) return;
    hasFailed = true;
    quietly(() => onFailure?.(code));
  };

  async function record(event: ResolvedEvent): Promise<void> {
    const lock = await locks.acquire(lockPath, { timeoutMs: LOCK_TIMEOUT_MS });
    let previous: unknown;
    try {
      const state = readState(await readRegularFile(path));
      if (typeof state === "string") return fail(state);
      previous = state.resolutions.get(event.key);
      const current = {
        store_mode: event.mode,
        keyring_backend: event.keyringBackend,
        resolved_store: event.place,
      };
      if (JSON.stringify(previous) === JSON.stringify(current)) return;
      // Last is newest: whoever is over the limit has not been seen for longest.
      state.resolutions.delete(event.key);
      state.resolutions.set(event.key, current);
      const kept = [...state.resolutions].slice(-MAX_ENTRIES);
      const text = JSON.stringify({ ...state.rest, version: VERSION, resolutions: Object.fromEntries(kept) });
      await sweepTemporaryFiles(path);
      await writeFileAtomic(path, text);
    } finally {
      lock.release();
    }
    const report = driftOf(previous, event);
    if (report) quietly(() => onDrift(report));
  }

  return Object.freeze({
    observe(event: StoreResolutionEvent) {
      if (event.type !== "resolved") return;
      const before = tail;
      tail = (async () => {
        await before;
        try {
          await record(event);
        } catch (error) {
          fail(isCredentialError(error) ? error.code : "unknown");
        }
      })();
    },
    settle: () => tail,
  });
}

type ResolvedEvent = StoreResolutionEvent & { readonly type: "resolved" };

interface DriftState {
  readonly resolutions: Map<string, unknown>;
  readonly rest: Record<string, unknown>;
}

/** The state, or why it is left alone. */
function readState(text: string | undefined): DriftState | "unreadable" | "newer-version" {
  if (text === undefined) return { resolutions: new Map(), rest: {} };
  let parsed: unknown;
  try {
    parsed = parseJsonText(text, { maxDepth: 16 });
  } catch {
    return "unreadable";
  }
  const state = stateSchema.safeParse(parsed);
  if (!state.success) return "unreadable";
  const { version, resolutions, ...rest } = state.data;
  return version === VERSION ? { resolutions: new Map(Object.entries(resolutions)), rest } : "newer-version";
}

/** Only `auto` with the same kind of keyring, before and now, can drift: anything else was configured anew. */
function driftOf(before: unknown, event: ResolvedEvent): StoreDriftReport | undefined {
  const known = entrySchema.safeParse(before);
  if (!known.success || event.mode !== "auto") return undefined;
  const { store_mode: mode, keyring_backend: backend, resolved_store: previous } = known.data;
  if (mode !== "auto" || backend !== event.keyringBackend || previous === event.place) return undefined;
  if (previous !== "file" && previous !== "keyring") return undefined;
  return { serverName: serverNameOf(event.key), previous, resolved: event.place, reason: event.reason };
}

/** The name in a store key, without what a terminal would obey. */
function serverNameOf(key: string): string {
  const end = key.lastIndexOf("|");
  return (end < 0 ? key : key.slice(0, end)).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?").slice(0, 120);
}

function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // Diagnosis is not allowed to break anything.
  }
}
