import { describe, expect, it } from "vitest";
import { isUuid, uuidV7 } from "./uuid-v7.ts";

describe(uuidV7, () => {
  it("begins with its time and says version 7, variant 10", () => {
    const id = uuidV7(0x0123_4567_89ab);
    expect(id).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(isUuid(id)).toBe(true);
    expect(isUuid("zz")).toBe(false);
  });
});
