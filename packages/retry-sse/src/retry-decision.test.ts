import { proves } from "@hawser/test-kit";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RetrySseError } from "./errors.ts";
import type { HeaderPairs } from "./header-pairs.ts";
import { type RetryPolicy, type RetryState, retryDecision } from "./retry-decision.ts";
import type { RetryFault } from "./retry-fault.ts";

const nowMs = 1_000_000;
const first: RetryState = { retry: 1, elapsedMs: 0, nowMs };

function status(code: number, headers: HeaderPairs = []): RetryFault {
  return { kind: "status", status: code, headers };
}

function failure(error: unknown): RetryFault {
  return { kind: "error", error };
}

function decide(fault: RetryFault, policy: RetryPolicy = {}, state: Partial<RetryState> = {}) {
  return retryDecision({ random: () => 0, ...policy }, fault, { ...first, ...state });
}

describe(retryDecision, () => {
  it.each([
    [400, "permanent", false],
    [401, "auth", false],
    [403, "auth", false],
    [404, "permanent", false],
    [407, "auth", false],
    [408, "transient", true],
    [409, "permanent", false],
    [422, "permanent", false],
    [425, "transient", true],
    [429, "throttle", true],
    [500, "transient", true],
    [501, "permanent", false],
    [502, "transient", true],
    [503, "transient", true],
    [504, "transient", true],
    [505, "permanent", false],
    [529, "transient", true],
  ])("takes %i for %s", proves("retry-sse/classes"), (code, retryClass, retry) => {
    expect(decide(status(code))).toMatchObject({ class: retryClass, retry });
    // The same status in an error that knows nothing else of itself.
    expect(decide(failure({ status: code }))).toMatchObject({ class: retryClass, retry });
  });

  it.each([
    ["throttle", { retry: "after", status: 429 }],
    ["transient", { retry: "after", status: 503 }],
    ["connection", { retry: "now", code: "ERR_TRANSPORT_RESET" }],
    ["auth", { retry: "never", status: 401 }],
    ["permanent", { retry: "never", status: 503 }],
    ["permanent", { status: "503" }],
  ])("takes for %s what says of itself %j", proves("retry-sse/classes"), (retryClass, error) => {
    expect(decide(failure(error)).class).toBe(retryClass);
  });

  it.each([
    ["a reset", Object.assign(new Error(), { code: "ECONNRESET" }), true],
    [
      "a fetch that failed",
      new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "ECONNREFUSED" }) }),
      true,
    ],
    ["an idle stream", new RetrySseError("ERR_RETRY_SSE_IDLE_TIMEOUT", ""), true],
    ["an error that says now", { retry: "now" }, true],
    ["a mistake", new TypeError("undefined is not a function"), false],
    ["an abort", new DOMException("aborted", "AbortError"), false],
    ["a string", "oops", false],
    ["undefined", undefined, false],
  ])("judges %s: repeat %s", (_, error, retry) => {
    expect(decide(failure(error)).retry).toBe(retry);
  });

  it("obeys an error that says never, whatever the policy", proves("retry-sse/said-never"), () => {
    const error = Object.assign(new Error("challenged"), { retry: "never", code: "ECONNRESET" });
    expect(decide(failure(error), { shouldRetry: () => true })).toMatchObject({
      retry: false,
      reason: "not-retryable",
    });
  });

  it.each([
    [500, "false", false],
    [404, "true", true],
    [429, "false", false],
    [500, "maybe", true],
  ])("listens to x-should-retry on %i: %s", (code, hint, retry) => {
    expect(decide(status(code, [["X-Should-Retry", hint]])).retry).toBe(retry);
  });

  it("lets the policy judge a status, and its function everything", () => {
    expect(decide(status(409), { statuses: { 409: "retry" } }).retry).toBe(true);
    expect(decide(status(503), { statuses: { 503: "stop" } }).retry).toBe(false);
    expect(decide(status(400), { shouldRetry: (_, retryClass) => retryClass === "permanent" }).retry).toBe(
      true,
    );
    expect(decide(status(503), { shouldRetry: () => false })).toMatchObject({
      retry: false,
      class: "transient",
    });
  });

  it.each([
    [{ codes: { ECONNRESET: "stop" } }, { code: "ECONNRESET" }, false],
    [{ codes: { ECONNRESET: "stop" } }, new TypeError("x", { cause: { code: "ECONNRESET" } }), false],
    [{ codes: { MINE: "retry" } }, { code: "MINE" }, true],
    [{ codes: { MINE: "retry" } }, { code: "OTHER" }, false],
    [{ codes: { MINE: "retry" } }, { code: "toString" }, false],
    [{ codes: { MINE: "retry" } }, { code: "MINE", retry: "never" }, false],
    [{ statuses: { 409: "retry" } }, { status: 409 }, true],
    [{ statuses: { 503: "stop" } }, { status: 503 }, false],
  ] as [RetryPolicy, unknown, boolean][])(
    "lets %j judge the error %j: %s",
    proves("retry-sse/policy"),
    (policy, error, retry) => {
      expect(decide(failure(error), policy).retry).toBe(retry);
    },
  );

  it(
    "listens to the reset of a limit on a 429 only, unless nothing remains",
    proves("retry-sse/retry-after"),
    () => {
      const random = (): number => 0;
      const reset: HeaderPairs = [["ratelimit-reset", "7"]];
      expect(decide(status(429, reset), { random })).toMatchObject({ delayMs: 7000 });
      expect(decide(status(500, reset), { random })).toMatchObject({ delayMs: 180 });
      expect(decide(status(500, [...reset, ["ratelimit-remaining", "0"]]), { random })).toMatchObject({
        delayMs: 7000,
      });
    },
  );

  it("adds nothing to what was asked for when there is to be no jitter", () => {
    const policy = { jitter: "none", random: () => 0.9 } as const;
    expect(decide(status(503, [["retry-after", "7"]]), policy)).toMatchObject({ delayMs: 7000 });
  });

  it("backs off by default, and by Retry-After when there is one", proves("retry-sse/retry-after"), () => {
    expect(decide(status(500), {}, { retry: 3 })).toMatchObject({ delayMs: 720 });
    expect(decide(status(503, [["retry-after", "7"]]))).toMatchObject({ delayMs: 7000 });
    expect(decide(status(503, [["retry-after", "7"]]), { random: () => 0.5 })).toMatchObject({
      delayMs: 7350,
    });
    expect(decide(failure({ retry: "after", retryAtMs: nowMs + 5000 }))).toMatchObject({ delayMs: 5000 });
  });

  it("does not wait longer than the cap, and tells the time", proves("retry-sse/retry-after"), () => {
    expect(decide(status(429, [["retry-after", "61"]]))).toEqual({
      retry: false,
      class: "throttle",
      reason: "retry-after",
      retryAtMs: nowMs + 61_000,
    });
    expect(decide(failure({ retry: "after", retryAtMs: nowMs + 61_000 }))).toMatchObject({
      reason: "retry-after",
    });
  });

  it.each([
    ["max-retries", {}, { retry: 5 }],
    ["budget", {}, { permits: 0 }],
    ["deadline", {}, { remainingMs: 180 }],
    ["max-elapsed", {}, { elapsedMs: 299_900 }],
    ["max-elapsed", { maxElapsedMs: 100 }, {}],
  ])("stops at its bound: %s", proves("retry-sse/deadline"), (reason, policy, state) => {
    expect(decide(status(500), policy, state)).toMatchObject({ retry: false, reason });
  });

  it("knows no bound of time when it is told so", () => {
    expect(decide(status(500), { maxElapsedMs: 0 }, { elapsedMs: 1e12 }).retry).toBe(true);
  });

  it("never repeats without a wait, whatever is asked for", proves("retry-sse/never-without-delay"), () => {
    const headers = fc.constantFrom<HeaderPairs>(
      [],
      [["retry-after", "0"]],
      [["retry-after-ms", "0"]],
      [["retry-after", "x"]],
    );
    const policy = fc.record({
      baseDelayMs: fc.constantFrom(0, 1, 200, Number.NaN),
      factor: fc.constantFrom(0, 1, 2, -1, Number.POSITIVE_INFINITY),
      maxDelayMs: fc.constantFrom(0, 30_000, Number.NaN),
      minDelayMs: fc.constantFrom(undefined, -5, 0, 1, 100),
      jitter: fc.constantFrom("full", "none", "proportional", "equal", "decorrelated"),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }).map((value) => () => value),
    });
    const fault = fc.oneof(
      headers.map((pairs) => status(503, pairs)),
      fc.constantFrom(failure({ retry: "now" }), failure({ retry: "after", retryAtMs: nowMs - 5 })),
    );
    fc.assert(
      fc.property(policy, fault, fc.integer({ min: 1, max: 4 }), (policy, fault, retry) => {
        const decision = retryDecision(policy, fault, { ...first, retry });
        expect(decision.retry && decision.delayMs >= Math.max(1, policy.minDelayMs ?? 100)).toBe(true);
      }),
    );
  });
});
