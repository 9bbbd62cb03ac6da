import { existsSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { temporaryHome } from "../src/temporary-home.ts";

describe(temporaryHome, () => {
  it("makes a private directory and removes it with everything in it", async () => {
    const home = await temporaryHome();
    await mkdir(home.file("deep", "er"), { recursive: true });
    const path = await home.write("a.json", "{}");
    expect(path).toBe(home.file("a.json"));
    if (process.platform !== "win32") {
      expect(statSync(home.path).mode & 0o777).toBe(0o700);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
    await home[Symbol.asyncDispose]();
    expect(existsSync(home.path)).toBe(false);
  });
});
