import type { OutputChunk } from "./output-log.ts";

/** A child that was started, whatever its streams are made of. */
export interface RunningChild {
  /** Its process id, and that of the group it leads. */
  readonly pid: number;
  /** Read slowly, these slow the child down. */
  readonly outputs: readonly (readonly [OutputChunk["stream"], AsyncIterable<Buffer>])[];
  /** 128 plus the number of the signal that ended it, where one did. Never rejects. */
  readonly exitCode: Promise<number>;
  /** Writes to its input and resolves when there is room for more; `undefined` when it has none. */
  readonly write: ((bytes: Buffer) => Promise<void>) | undefined;
}

/** What to start. */
export interface ChildRequest {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly arg0: string | undefined;
}

/** The child could not be started. */
export class SpawnError extends Error {
  override readonly name = "SpawnError";
}
