import { describe, expect, it } from "vitest";
import { judgePromises } from "./promise-gate.ts";

const promised = (id: string) => ({
  id,
  file: "test/promises.ts",
  entry: { promise: "It holds.", room: "room" },
});
const proof = (id: string, status: "passed" | "failed" | "skipped") => ({
  name: "holds",
  file: "a.test.ts",
  status,
  proves: [id],
});

describe(judgePromises, () => {
  it("counts a promise whose proof passed", () => {
    expect(judgePromises([promised("room/a")], [proof("room/a", "passed")])).toEqual({
      failures: [],
      proven: 1,
      total: 1,
      notRun: [],
    });
  });

  it.each([
    ["a promise without a proof", [promised("room/a")], [], "room/a in test/promises.ts has no proof"],
    [
      "a proof of no promise",
      [],
      [proof("room/a", "passed")],
      'a.test.ts: "holds" proves room/a, which nobody promises',
    ],
    [
      "a proof that failed",
      [promised("room/a")],
      [proof("room/a", "passed"), proof("room/a", "failed")],
      "room/a: a proof failed",
    ],
    [
      "a promise made twice",
      [promised("room/a"), promised("room/a")],
      [proof("room/a", "passed")],
      "room/a is promised twice: in test/promises.ts and test/promises.ts",
    ],
    [
      "a promise in a stranger's name",
      [promised("other/a")],
      [proof("other/a", "passed")],
      "other/a in test/promises.ts does not begin with its room, room/",
    ],
  ] as const)("refuses %s", (_what, promises, tests, failure) => {
    expect(judgePromises(promises, tests).failures).toEqual([failure]);
  });

  it("names a promise whose proofs could not run here, without calling it proven", () => {
    const report = judgePromises([promised("room/a")], [proof("room/a", "skipped")]);
    expect(report).toEqual({ failures: [], proven: 0, total: 1, notRun: ["room/a"] });
  });
});
