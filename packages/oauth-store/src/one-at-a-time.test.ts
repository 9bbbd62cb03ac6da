import { describe, expect, it } from "vitest";
import { oneAtATime, within } from "./one-at-a-time.ts";

describe(oneAtATime, () => {
  it("starts a work when the one before it is over, also when that failed", async () => {
    const inTurn = oneAtATime();
    const seen: string[] = [];
    const work = (name: string, fails = false) =>
      inTurn(async () => {
        seen.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      });
    const [a, b] = await Promise.allSettled([work("a", true), work("b")]);
    expect(a.status).toBe("rejected");
    expect(b).toMatchObject({ value: "b" });
    expect(seen).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  });
});

describe(within, () => {
  it("leaves a work that takes too long, and cleans up behind it when it is back", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let cleaned = 0;
    expect(await within(promise, 1, undefined, () => (cleaned += 1))).toBe("late");
    expect(cleaned).toBe(0);
    resolve(true);
    await new Promise((done) => setImmediate(done));
    expect(cleaned).toBe(1);
    expect(await within(Promise.resolve(true), 1000, undefined, () => (cleaned += 1))).toBe(true);
    expect(cleaned).toBe(1);
  });
});
