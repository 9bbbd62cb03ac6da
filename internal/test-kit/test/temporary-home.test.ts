import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { homeEnding, temporaryHome } from "../src/temporary-home.ts";

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

  it("is told of on its channel while everything in it is still there", async () => {
    const texts: string[] = [];
    const onEnd = (path: unknown) => void texts.push(readFileSync(`${path}/a.json`, "utf8"));
    homeEnding.subscribe(onEnd);
    const home = await temporaryHome();
    await home.write("a.json", "{}");
    await home.remove();
    homeEnding.unsubscribe(onEnd);
    expect(texts).toEqual(["{}"]);
  });
});
