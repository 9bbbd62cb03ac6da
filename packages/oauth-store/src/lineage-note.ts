import { z } from "zod";
import { parseJsonText } from "./json-text.ts";
import type { SpendOwner } from "./spend-header.ts";

/** One generation of a login as the lineage note names it: hashes and times, no secret. */
export interface NotedGeneration {
  readonly generation: number;
  readonly fingerprint?: string | undefined;
  readonly bearerHash?: string | undefined;
  readonly snapshotHash: string;
  readonly receivedAtMs?: number | undefined;
  readonly lifetimeMs?: number | undefined;
  readonly by: "login" | "refresh";
}

/** One login as the lineage note names it. The store holds `current`, or still `previous`. */
export interface NotedLogin {
  readonly lineage: string;
  readonly current?: NotedGeneration | undefined;
  readonly previous?: NotedGeneration | undefined;
  /** What refreshes must hold to: issuer, token endpoint, auth method, resource. */
  readonly pins?: Readonly<Record<string, string>> | undefined;
  readonly freshRejectionAtMs?: number | undefined;
}

/**
 * What the store's format has no place for. Written under the lock before each save; what is stored and not named
 * here was written by somebody else.
 */
export interface LineageNote extends NotedLogin {
  readonly version: 1;
  /** Until this login is saved, the one it takes the place of, `null` for none: the store may keep that. */
  readonly before?: NotedLogin | null | undefined;
  /** Set before anything is removed, and kept should the process end there. */
  readonly logoutBegunAtMs?: number | undefined;
  readonly loggedOutAtMs?: number | undefined;
  /** Who logged out, for diagnosis only. */
  readonly loggedOutBy?: SpendOwner | undefined;
}

/** What is noted of one login: the last, or the one before it while that may still be stored. */
export function notedLogin(note: LineageNote | undefined, lineage: string): NotedLogin | undefined {
  if (note?.lineage === lineage) return note;
  return note?.before?.lineage === lineage ? note.before : undefined;
}

export function formatLineageNote(note: LineageNote): string {
  return `${JSON.stringify(note)}\n`;
}

/** Undefined for a text that is not a note: then every login is a new lineage. */
export function parseLineageNote(text: string): LineageNote | undefined {
  try {
    const parsed = noteSchema.safeParse(parseJsonText(text, { maxDepth: 8 }));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined; // Torn or foreign; it is written again with the next save.
  }
}

const generationSchema: z.ZodType<NotedGeneration> = z.object({
  generation: z.number().int().nonnegative(),
  fingerprint: z.string().optional(),
  bearerHash: z.string().optional(),
  snapshotHash: z.string(),
  receivedAtMs: z.number().optional(),
  lifetimeMs: z.number().optional(),
  by: z.enum(["login", "refresh"]),
});

const loginShape = {
  lineage: z.string(),
  current: generationSchema.optional(),
  previous: generationSchema.optional(),
  pins: z.record(z.string(), z.string()).optional(),
  freshRejectionAtMs: z.number().optional(),
};

const noteSchema: z.ZodType<LineageNote> = z.object({
  version: z.literal(1),
  ...loginShape,
  before: z.object(loginShape).nullish(),
  logoutBegunAtMs: z.number().optional(),
  loggedOutAtMs: z.number().optional(),
  loggedOutBy: z.object({ host: z.string(), boot: z.string(), pid: z.number() }).optional(),
});
