import type { CredentialClock } from "../../src/index.ts";

/** Real clocks that can be moved: `advance` moves both, `jump` the wall clock alone. */
export function steppingClock(): CredentialClock & { advance(ms: number): void; jump(ms: number): void } {
  let wall = 0;
  let monotonic = 0;
  return {
    wallMs: () => Date.now() + wall,
    monotonicMs: () => performance.now() + monotonic,
    advance(ms) {
      wall += ms;
      monotonic += ms;
    },
    jump(ms) {
      wall += ms;
    },
  };
}
