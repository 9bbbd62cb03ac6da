import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KEY } from "./support/memory-setting.ts";
import { FILE_OF, type StoreKind, storeMaker } from "./support/store-kinds.ts";

/** What is seen when a directory's names have become durable. */
const watching = vi.hoisted(() => ({ seen: [] as string[], look: (): string | undefined => undefined }));

vi.mock("../src/descriptor.ts", async (original) => {
  const real = await original<typeof import("../src/descriptor.ts")>();
  return {
    ...real,
    syncDirectory: async (path: string) => {
      const state = watching.look();
      await real.syncDirectory(path);
      if (state) watching.seen.push(`${state} ${path}`);
    },
  };
});

let home: TemporaryHome;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(async () => {
  watching.look = () => undefined;
  await home.remove();
});

describe.each<StoreKind>(["aggregate file", "single file", "encrypted file"])("%s", (kind) => {
  const open = () => storeMaker()(kind, home.path);
  const path = () => home.file(FILE_OF[kind] ?? "");

  it(
    "is durably gone when the removal of its last entry is over",
    proves("oauth-store/durable-removal"),
    async () => {
      await open().update(KEY, () => ({ write: "old" }));
      watching.seen.length = 0;
      watching.look = () => (existsSync(path()) ? "there" : "gone");
      await open().update(KEY, () => "remove");
      expect(watching.seen).toEqual([`gone ${home.path}`]);
    },
  );

  it(
    "that was moved aside is so durably before anything is written in its place",
    proves("oauth-store/durable-removal"),
    async () => {
      await writeFile(path(), "{", { mode: 0o600 });
      watching.seen.length = 0;
      watching.look = () => (existsSync(path()) ? "there" : "gone");
      const seenByChange: string[] = [];
      await open().update(
        KEY,
        () => {
          seenByChange.push(...watching.seen);
          return { write: "new" };
        },
        { quarantine: true },
      );
      expect(seenByChange).toEqual([`gone ${home.path}`]);
      expect(watching.seen.at(-1)).toBe(`there ${home.path}`);
      expect((await readdir(home.path)).filter((name) => name.includes(".corrupt-"))).toHaveLength(1);
    },
  );
});
