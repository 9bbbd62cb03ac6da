import { lstat, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSingleFileStore, writeFileAtomic } from "../src/index.ts";
import { KEY } from "./support/memory-setting.ts";

let home: TemporaryHome;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(() => home.remove());

describe(writeFileAtomic, () => {
  it.each(["auth", "auth.json.0123456789abcdef", "uth.json"])(
    "is not disturbed by a writer of another file beside it that sweeps what was left: %s",
    proves("oauth-store/atomic-write"),
    async (other) => {
      const path = home.file("auth.json");
      const neighbour = createSingleFileStore({
        path: home.file(other),
        lockPaths: [home.file("locks", "other.lock")],
      });
      await writeFileAtomic(path, "mine", {
        async faultPoint(name) {
          if (name === "file/temporary-written") await neighbour.update(KEY, () => ({ write: 1 }));
        },
      });
      expect(await readFile(path, "utf8")).toBe("mine");
      expect(await neighbour.read(KEY)).toBe(1);
    },
  );

  it(
    "leaves names alone that are not quite those of its own leavings",
    proves("oauth-store/atomic-write"),
    async () => {
      const own = ".auth.json.0123456789abcdef.tmp";
      const others = [
        ".auth.json.tmp",
        ".auth.json.0123456789abcde.tmp",
        ".auth.json.0123456789ABCDEF.tmp",
        ".auth.json.backup.tmp",
        "auth.json.0123456789abcdef.tmp",
      ];
      for (const name of [own, ...others]) await writeFile(home.file(name), "");
      await createSingleFileStore({ path: home.file("auth.json") }).update(KEY, () => ({ write: 1 }));
      expect((await readdir(home.path)).sort()).toEqual([...others, "auth.json", "auth.json.lock"].sort());
    },
  );

  it.skipIf(process.platform === "win32")(
    "replaces no link, whatever it leads to",
    proves("oauth-store/unsafe-files"),
    async () => {
      await home.write("real.json", "real");
      for (const target of [home.file("real.json"), home.file("not-there.json")]) {
        const path = home.file(`link-to-${basename(target)}`);
        await symlink(target, path);
        await expect(writeFileAtomic(path, "new")).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_UNSAFE_FILE",
        });
        expect((await lstat(path)).isSymbolicLink()).toBe(true);
        expect(await readlink(path)).toBe(target);
      }
      expect(await readFile(home.file("real.json"), "utf8")).toBe("real");
      expect((await readdir(home.path)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    },
  );
});
