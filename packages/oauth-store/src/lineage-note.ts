import { z } from "zod";

const generationSchema = z.object({
  generation: z.number().int().nonnegative(),
  fingerprint: z.string().optional(),
  bearerHash: z.string().optional(),
  snapshotHash: z.string(),
  receivedAtMs: z.number().optional(),
  lifetimeMs: z.number().optional(),
  by: z.enum(["login", "refresh"]),
});

const noteSchema = z.object({
  version: z.literal(1),
  lineage: z.string(),
  current: generationSchema.optional(),
  previous: generationSchema.optional(),
  pins: z.record(z.string(), z.string()).optional(),
  freshRejectionAtMs: z.number().optional(),
  loggedOutAtMs: z.number().optional(),
});

/** One generation of a login as the lineage note names it: hashes and times, no secret. */
export type NotedGeneration = Readonly<z.infer<typeof generationSchema>>;

/**
 * What the store's format has no place for. Written under the lock before each save, so the store holds `current`,
 * or still `previous`; anything else was written by somebody else.
 */
export type LineageNote = Readonly<z.infer<typeof noteSchema>>;

export function formatLineageNote(note: LineageNote): string {
  return `${JSON.stringify(note)}\n`;
}

/** Undefined for a text that is not a note: then every login is a new lineage. */
export function parseLineageNote(text: string): LineageNote | undefined {
  try {
    const parsed = noteSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined; // Torn or foreign; it is written again with the next save.
  }
}
