/** A behaviour somebody relies on, as `test/promises.ts` of its room lists it. */
export interface PromiseEntry {
  readonly promise: string;
  readonly room: string;
  /** A known gap: its proof is a test that is expected to fail, and the gate fails when it starts to pass. */
  readonly gap?: string | undefined;
}

/** One test as the runner reported it. */
export interface TestOutcome {
  readonly name: string;
  readonly file: string;
  readonly status: "passed" | "failed" | "skipped";
  readonly proves: readonly string[];
}

export interface GateReport {
  readonly failures: readonly string[];
  readonly proven: number;
  readonly total: number;
  /** Promises whose only proofs could not run on this machine. */
  readonly notRun: readonly string[];
}

/**
 * Holds promises and proofs against each other: a promise without a proof fails, a proof of no promise fails, and
 * only a test that ran and passed is a proof.
 */
export function judgePromises(
  promises: readonly { readonly id: string; readonly file: string; readonly entry: PromiseEntry }[],
  tests: readonly TestOutcome[],
): GateReport {
  const failures: string[] = [];
  const known = new Map<string, string>();
  for (const { id, file, entry } of promises) {
    const earlier = known.get(id);
    if (earlier !== undefined) failures.push(`${id} is promised twice: in ${earlier} and ${file}`);
    known.set(id, file);
    if (!id.startsWith(`${entry.room}/`))
      failures.push(`${id} in ${file} does not begin with its room, ${entry.room}/`);
    if (entry.promise.trim() === "") failures.push(`${id} in ${file} promises nothing`);
  }

  const outcomes = new Map<string, TestOutcome[]>();
  for (const test of tests) {
    for (const id of test.proves) {
      if (!known.has(id)) failures.push(`${test.file}: "${test.name}" proves ${id}, which nobody promises`);
      outcomes.set(id, [...(outcomes.get(id) ?? []), test]);
    }
  }

  let proven = 0;
  const notRun: string[] = [];
  for (const [id, file] of known) {
    const proofs = outcomes.get(id) ?? [];
    if (proofs.some((test) => test.status === "failed")) failures.push(`${id}: a proof failed`);
    else if (proofs.some((test) => test.status === "passed")) proven += 1;
    else if (proofs.length > 0) notRun.push(id);
    else failures.push(`${id} in ${file} has no proof`);
  }
  return { failures, proven, total: known.size, notRun };
}
