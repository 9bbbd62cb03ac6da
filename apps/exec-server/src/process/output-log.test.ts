import { describe, expect, it } from "vitest";
import { OutputLog } from "./output-log.ts";

const chunk = (seq: number, text: string) => ({ seq, stream: "stdout" as const, bytes: Buffer.from(text) });

describe(OutputLog, () => {
  it("keeps the newest up to its size", () => {
    const log = new OutputLog(6);
    for (const seq of [1, 2, 3, 4]) log.append(chunk(seq, "abc"));
    expect(log.after(0, 100).chunks.map(({ seq }) => seq)).toEqual([3, 4]);
  });

  it("returns what follows, up to a size but at least one", () => {
    const log = new OutputLog(100);
    for (const seq of [1, 2, 4]) log.append(chunk(seq, "abc"));
    expect(log.after(1, 100)).toMatchObject({ chunks: [{ seq: 2 }, { seq: 4 }], isTruncated: false });
    expect(log.after(0, 4)).toMatchObject({ chunks: [{ seq: 1 }], isTruncated: true });
    expect(log.after(0, 0)).toMatchObject({ chunks: [{ seq: 1 }], isTruncated: true });
    expect(log.after(4, 0)).toEqual({ chunks: [], isTruncated: false });
  });
});
