/** One row of the table in `bench/README.md`: a ratio measured in one run, beside its goal. */
export interface BenchRow {
  /** The hot path: `"transport, 32 concurrent"`. */
  readonly path: string;
  /** What stands beside what: `"raw undici.request"`. */
  readonly what: string;
  /** As measured: `"0.94x"`. */
  readonly ratio: string;
  readonly goal: string;
  readonly met: boolean;
}
