import { describe, expect, it } from "vitest";
import { renamePatiently } from "./rename-patiently.ts";

function busy(times: number, code = "EPERM") {
  const pauses: number[] = [];
  let tries = 0;
  return {
    pauses,
    tries: () => tries,
    rename: async () => {
      tries += 1;
      if (tries <= times) throw Object.assign(new Error(code), { code });
    },
    pause: async (delayMs: number) => pauses.push(delayMs),
  };
}

describe(renamePatiently, () => {
  it("waits for whoever has the file open on Windows, longer each time", async () => {
    const file = busy(3);
    await renamePatiently("a", "b", { platform: "win32", ...file });
    expect(file.tries()).toBe(4);
    expect(file.pauses).toEqual([10, 20, 40]);
  });

  it("gives up in the end, after less than 3 s", async () => {
    const file = busy(100, "EBUSY");
    await expect(renamePatiently("a", "b", { platform: "win32", ...file })).rejects.toThrow("EBUSY");
    expect(file.pauses.reduce((sum, one) => sum + one, 0)).toBeLessThan(3000);
  });

  it.each([
    ["another failure", "win32", "ENOSPC"],
    ["another system", "linux", "EPERM"],
  ] as const)("does not repeat it for %s", async (_, platform, code) => {
    const file = busy(1, code);
    await expect(renamePatiently("a", "b", { platform, ...file })).rejects.toThrow(code);
    expect(file.tries()).toBe(1);
  });
});
