export interface BackoffOptions {
  /** Wait before the first retry. @defaultValue 200 */
  readonly baseDelayMs?: number | undefined;
  /** Growth from one retry to the next. @defaultValue 2 */
  readonly factor?: number | undefined;
  /** Ceiling for any single wait. @defaultValue 30_000 */
  readonly maxDelayMs?: number | undefined;
  /**
   * `"proportional"` spreads a wait by 10 % around its length, `"full"` evenly between nothing and its length, for
   * crowds that fail together. @defaultValue "proportional"
   */
  readonly jitter?: "proportional" | "full" | "none" | undefined;
  /** Source of jitter in [0, 1). @defaultValue Math.random */
  readonly random?: (() => number) | undefined;
}

/** Wait before retry number `retry` (1 is the first), in milliseconds. */
export function backoffDelayMs(retry: number, options: BackoffOptions = {}): number {
  const { baseDelayMs = 200, factor = 2, maxDelayMs = 30_000 } = options;
  const { jitter = "proportional", random = Math.random } = options;
  const lengthMs = Math.min(baseDelayMs * factor ** (Math.max(1, retry) - 1), maxDelayMs);
  switch (jitter) {
    case "none":
      return lengthMs;
    case "full":
      return lengthMs * random();
    case "proportional":
      return Math.min(lengthMs * (0.9 + random() * 0.2), maxDelayMs);
  }
}
