import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { Operation, type OperationKey } from "./operation.ts";

const colour: OperationKey<string> = { id: Symbol.for("test/colour") };

describe(Operation, () => {
  it("counts down to its deadline and not below", proves("transport/deadline"), () => {
    let nowMs = 1_000;
    const operation = Operation.start({ label: "a", timeoutMs: 100, now: () => nowMs });
    const seen = [operation.remainingMs()];
    nowMs = 1_099;
    seen.push(operation.with(colour, "red").remainingMs());
    nowMs = 5_000;
    seen.push(operation.remainingMs());

    expect([...seen, Operation.start({ label: "b" }).remainingMs()]).toEqual([
      100,
      1,
      0,
      Number.POSITIVE_INFINITY,
    ]);
  });

  it("carries values without changing", () => {
    const plain = Operation.start({ label: "a" });
    const red = plain.with(colour, "red");
    const blue = red.with({ id: Symbol.for("test/colour") } as OperationKey<string>, "blue");

    expect([plain, red, blue].map((operation) => operation.get(colour))).toEqual([undefined, "red", "blue"]);
  });
});
