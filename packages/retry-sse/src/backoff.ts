export interface BackoffOptions {
  /** Wait before the first retry. @defaultValue 200 */
  readonly baseDelayMs?: number | undefined;
  /** Growth from one retry to the next. @defaultValue 2 */
  readonly factor?: number | undefined;
  /** Ceiling for any single wait. @defaultValue 30_000 */
  readonly maxDelayMs?: number | undefined;
  /**
   * How a wait is spread, so that a crowd that failed together does not return together:
   * - `"proportional"`: by 10 % around its length;
   * - `"equal"`: evenly over the second half of its length;
   * - `"full"`: evenly between nothing and its length;
   * - `"decorrelated"`: evenly between the base and three times the wait before, whatever the factor;
   * - `"none"`: not at all.
   *
   * @defaultValue "proportional"
   */
  readonly jitter?: "proportional" | "equal" | "full" | "decorrelated" | "none" | undefined;
  /** Source of jitter in [0, 1). @defaultValue Math.random */
  readonly random?: (() => number) | undefined;
}

/**
 * Wait before retry number `retry` (1 is the first), in milliseconds.
 *
 * @param previousDelayMs the wait before that, which only `"decorrelated"` looks at. Default: the base.
 */
export function backoffDelayMs(
  retry: number,
  options: BackoffOptions = {},
  previousDelayMs?: number,
): number {
  const { baseDelayMs = 200, factor = 2, maxDelayMs = 30_000 } = options;
  const { jitter = "proportional", random = Math.random } = options;
  // Nothing times infinity is no number.
  const growth = Math.min(factor ** (Math.max(1, retry) - 1), Number.MAX_VALUE);
  const lengthMs = Math.min(baseDelayMs * growth, maxDelayMs);
  switch (jitter) {
    case "none":
      return lengthMs;
    case "full":
      return lengthMs * random();
    case "equal":
      return lengthMs * (0.5 + random() * 0.5);
    case "proportional":
      return Math.min(lengthMs * (0.9 + random() * 0.2), maxDelayMs);
    case "decorrelated": {
      const spreadMs = Math.max(0, (previousDelayMs ?? baseDelayMs) * 3 - baseDelayMs);
      return Math.min(baseDelayMs + random() * spreadMs, maxDelayMs);
    }
  }
}
