declare module "vitest" {
  interface TaskMeta {
    proves?: readonly string[];
  }
}

/**
 * Names the promises a test proves: `it("sends once", proves("transport/sends-once"), async () => …)`. The promise
 * gate counts a proof only when the test ran and passed.
 */
export function proves(...ids: [string, ...string[]]): { meta: { proves: readonly string[] } } {
  return { meta: { proves: ids } };
}
