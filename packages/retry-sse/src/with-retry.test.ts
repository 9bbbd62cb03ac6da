import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pieces } from "../test/bytes.ts";
import { SmallOperation, scriptedSender } from "../test/senders.ts";
import { budgetKey, RetryBudget } from "./retry-budget.ts";
import type { RetryPolicy } from "./retry-decision.ts";
import { runWithRetry } from "./run-with-retry.ts";
import { type RetryableRequest, type RetryableResponse, type Sender, withRetry } from "./with-retry.ts";

const get: RetryableRequest = { method: "GET" };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Sends and lets every wait pass. */
async function send(
  wire: Sender<RetryableRequest, RetryableResponse>,
  request: RetryableRequest,
  policy: RetryPolicy = {},
): Promise<RetryableResponse> {
  const sent = withRetry(policy)(wire).send(request);
  sent.catch(() => {});
  await vi.runAllTimersAsync();
  return sent;
}

describe(withRetry, () => {
  it("sends again until it works, waiting longer each time", async () => {
    const wire = scriptedSender(500, 503, 502, 200);
    const notices: unknown[] = [];
    const response = await send(wire, get, {
      random: () => 0.5,
      onRetry: ({ retry, delayMs, class: retryClass }) => notices.push([retry, delayMs, retryClass]),
    });
    expect(response.status).toBe(200);
    expect(wire.atMs.slice(1).map((at, index) => Math.round(at - (wire.atMs[index] ?? 0)))).toEqual([
      200, 400, 800,
    ]);
    expect(notices).toEqual([
      [1, 200, "transient"],
      [2, 400, "transient"],
      [3, 800, "transient"],
    ]);
  });

  it("passes the last response on and cancels those before", proves("retry-sse/discarded"), async () => {
    const wire = scriptedSender(500);
    expect((await send(wire, get)).status).toBe(500);
    expect([wire.seen.length, wire.cancelled]).toEqual([5, 4]);
  });

  it("throws the last error as it is", async () => {
    const failure = Object.assign(new Error("reset"), { code: "ECONNRESET" });
    const wire = scriptedSender(failure);
    await expect(send(wire, get, { maxRetries: 2 })).rejects.toBe(failure);
    expect(wire.seen).toHaveLength(3);
  });

  it.each([
    ["POST", undefined, undefined, 1],
    ["PATCH", undefined, undefined, 1],
    ["post", undefined, undefined, 1],
    ["POST", false, undefined, 1],
    ["POST", true, "body", 2],
    ["POST", true, { json: {} }, 2],
    ["POST", true, new Uint8Array(3), 2],
    ["POST", true, pieces("once"), 1],
    ["PUT", undefined, new ReadableStream(), 1],
    ["PUT", undefined, "body", 2],
    ["DELETE", undefined, undefined, 2],
    ["get", undefined, undefined, 2],
    ["GET", false, undefined, 1],
  ])(
    "sends a %s with idempotent %s and body %j as often as it may",
    proves("retry-sse/idempotent-only"),
    async (method, idempotent, body, sends) => {
      const wire = scriptedSender(500, 200);
      await send(wire, { method, idempotent, body });
      expect(wire.seen).toHaveLength(sends);
    },
  );

  it.each([400, 401, 403, 404, 409])("sends once what a %i answers", async (status) => {
    const wire = scriptedSender(status);
    expect((await send(wire, get)).status).toBe(status);
    expect([wire.seen.length, wire.cancelled]).toEqual([1, 0]);
  });

  it("sends once what an error says never to", proves("retry-sse/said-never"), async () => {
    const wire = scriptedSender(Object.assign(new Error("challenged"), { retry: "never" }));
    await expect(send(wire, get, { shouldRetry: () => true })).rejects.toThrow("challenged");
    expect(wire.seen).toHaveLength(1);
  });

  it(
    "fails at once when a response asks for too long a wait, and says until when",
    proves("retry-sse/retry-after"),
    async () => {
      const wire = scriptedSender({ status: 429, headers: [["retry-after", "3600"]] }, 200);
      const retryAtMs = Date.now() + 3_600_000;
      await expect(send(wire, get)).rejects.toMatchObject({
        code: "ERR_RETRY_SSE_RETRY_AFTER",
        retry: "after",
        retryAtMs,
        status: 429,
      });
      expect([wire.seen.length, wire.cancelled, vi.getTimerCount()]).toEqual([1, 1, 0]);
    },
  );

  it("fails at once under two layers too, with the same error", proves("retry-sse/retry-after"), async () => {
    const wire = scriptedSender({ status: 503, headers: [["ratelimit", '"a";r=0;t=61']] });
    await expect(send(withRetry()(wire), get)).rejects.toMatchObject({ code: "ERR_RETRY_SSE_RETRY_AFTER" });
    expect([wire.seen.length, wire.cancelled]).toEqual([1, 1]);
  });

  it("returns that response to whoever wants to read it", async () => {
    const wire = scriptedSender({ status: 429, headers: [["retry-after", "3600"]] }, 200);
    expect((await send(wire, get, { aboveMaxRetryAfter: "return" })).status).toBe(429);
    expect([wire.seen.length, wire.cancelled]).toEqual([1, 0]);
  });

  it("returns what is not repeated for another reason, however long it would have to wait", async () => {
    const headers = [["retry-after", "3600"]] as const;
    expect((await send(scriptedSender({ status: 403, headers }), get)).status).toBe(403);
    expect((await send(scriptedSender({ status: 503, headers }), get, { maxRetries: 0 })).status).toBe(503);
  });

  it(
    "makes as many retries as the policy says, when nobody shares a budget",
    proves("retry-sse/policy"),
    async () => {
      const wire = scriptedSender(500);
      await send(wire, get, { maxRetries: 10 });
      expect(wire.seen).toHaveLength(11);
    },
  );

  it("stops before the elapsed time would be exceeded, not after", proves("retry-sse/policy"), async () => {
    const wire = scriptedSender(500);
    const startedMs = performance.now();
    await send(wire, get, { maxRetries: 100, maxElapsedMs: 10_000, maxDelayMs: 3000 });
    expect(performance.now() - startedMs).toBeLessThanOrEqual(10_000);
    expect(wire.seen.length).toBeGreaterThan(5);
  });

  it.each([
    [["POST"], "post", 2],
    [["POST"], "GET", 1],
    [[], "GET", 1],
  ])("repeats the methods %j: a %s %i times", proves("retry-sse/policy"), async (methods, method, sends) => {
    const wire = scriptedSender(500, 200);
    await send(wire, { method }, { methods });
    expect(wire.seen).toHaveLength(sends);
  });

  it("tells of each wait, and ends with what its listener throws", proves("retry-sse/policy"), async () => {
    const notices: unknown[] = [];
    const wire = scriptedSender(500, { status: 429, headers: [["retry-after", "2"]] }, 200);
    await send(wire, get, { jitter: "none", onRetry: (notice) => notices.push(notice) });
    expect(notices).toEqual([
      {
        retry: 1,
        delayMs: 200,
        class: "transient",
        elapsedMs: 0,
        fault: { kind: "status", status: 500, headers: [] },
      },
      {
        retry: 2,
        delayMs: 2000,
        class: "throttle",
        elapsedMs: 200,
        fault: expect.objectContaining({ status: 429 }),
      },
    ]);
    const onRetry = (): never => {
      throw new Error("mine");
    };
    await expect(send(scriptedSender(500), get, { onRetry })).rejects.toThrow("mine");
  });

  it(
    "repeats whatever a response that failed to be cancelled says",
    proves("retry-sse/discarded"),
    async () => {
      const wire = scriptedSender(500, 200);
      const stubborn = {
        send: async (request: RetryableRequest) => ({
          ...(await wire.send(request)),
          cancel: () => Promise.reject(new Error("stuck")),
        }),
      };
      expect((await send(stubborn, get)).status).toBe(200);
    },
  );

  it("waits at least the floor when the server says 0", proves("retry-sse/never-without-delay"), async () => {
    const wire = scriptedSender({ status: 503, headers: [["retry-after", "0"]] });
    await send(wire, get);
    const gaps = wire.atMs.slice(1).map((at, index) => at - (wire.atMs[index] ?? 0));
    expect(gaps).toHaveLength(4);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(100);
  });

  it("passes the request itself when there is nothing to add", async () => {
    const wire = scriptedSender(500, 200);
    await send(wire, get);
    expect(wire.seen).toEqual([get, get]);
    expect(wire.seen.every((request) => request === get)).toBe(true);
  });

  it("sends nothing after the deadline of its operation", proves("retry-sse/deadline"), async () => {
    const endsMs = performance.now() + 1000;
    const operation = new SmallOperation(() => Math.max(0, endsMs - performance.now()));
    const wire = scriptedSender(500);
    expect((await send(wire, { ...get, operation }, { random: () => 0.5 })).status).toBe(500);
    // 200 and 400 ms pass; another 800 would be too late, and is not waited for.
    expect(wire.seen).toHaveLength(3);
    expect(Math.max(...wire.atMs)).toBeLessThan(endsMs);
    expect(performance.now()).toBeLessThan(endsMs);
  });

  it(
    "ends its wait when the caller gives up, and sends nothing more",
    proves("retry-sse/deadline"),
    async () => {
      const abort = new AbortController();
      const wire = scriptedSender(500);
      const sent = withRetry()(wire).send({ ...get, signal: abort.signal });
      const outcome = expect(sent).rejects.toMatchObject({ code: "ERR_RETRY_SSE_ABORTED", cause: "enough" });
      await vi.advanceTimersByTimeAsync(50);
      abort.abort("enough");
      await outcome;
      await vi.runAllTimersAsync();
      expect([wire.seen.length, wire.cancelled, vi.getTimerCount()]).toEqual([1, 1, 0]);
    },
  );

  it("makes at most 6 requests under two default layers", proves("retry-sse/one-budget"), async () => {
    const wire = scriptedSender(500);
    const operation = new SmallOperation();
    await send(withRetry()(wire), { ...get, operation });
    expect(wire.seen).toHaveLength(6);
    expect(wire.cancelled).toBe(5);
  });

  it("makes at most 6 requests under five default layers", proves("retry-sse/one-budget"), async () => {
    const wire = scriptedSender(Object.assign(new Error(), { code: "ECONNRESET" }));
    const layers = [withRetry(), withRetry(), withRetry(), withRetry()].reduce<
      Sender<RetryableRequest, RetryableResponse>
    >((next, wrap) => wrap(next), wire);
    await expect(send(layers, { ...get, operation: new SmallOperation() })).rejects.toThrow();
    expect(wire.seen).toHaveLength(6);
  });

  it(
    "shares the budget an operation brings, also between requests",
    proves("retry-sse/one-budget"),
    async () => {
      const budget = new RetryBudget({ maxRetries: 3 });
      const operation = new SmallOperation().with(budgetKey, budget);
      const wire = scriptedSender(500);
      await send(wire, { ...get, operation }, { maxRetries: 2 });
      await send(wire, { ...get, operation }, { maxRetries: 2 });
      expect([wire.seen.length, budget.remaining]).toEqual([5, 0]);
      expect(wire.seen[0]?.operation).toBe(operation);
    },
  );
});

describe(runWithRetry, () => {
  it("counts attempts, and hands each the operation with its budget", async () => {
    const attempts: unknown[] = [];
    const operation = new SmallOperation();
    const running = runWithRetry(
      { maxRetries: 1 },
      async ({ attempt, operation }) => {
        attempts.push([attempt, operation?.get(budgetKey)?.remaining]);
        throw Object.assign(new Error(), { retry: "now" });
      },
      { operation },
    );
    running.catch(() => {});
    await vi.runAllTimersAsync();
    await expect(running).rejects.toMatchObject({ retry: "now" });
    expect(attempts).toEqual([
      [1, 5],
      [2, 4],
    ]);
  });

  it("does not repeat what failed because the caller gave up", async () => {
    const abort = new AbortController();
    let attempts = 0;
    const running = runWithRetry(
      {},
      async () => {
        attempts += 1;
        abort.abort();
        throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      },
      { signal: abort.signal },
    );
    await expect(running).rejects.toThrow("reset");
    expect(attempts).toBe(1);
  });
});
