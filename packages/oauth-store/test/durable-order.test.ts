import { open } from "node:fs/promises";
import { basename } from "node:path";
import { proves } from "@hawser/test-kit";
import { expect, it, vi } from "vitest";
import { homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";

const order = vi.hoisted((): string[] => []);

vi.mock("../src/descriptor.ts", async (original) => {
  const real = await original<typeof import("../src/descriptor.ts")>();
  return {
    ...real,
    syncDescriptor: async (descriptor: number) => {
      await real.syncDescriptor(descriptor);
      order.push("record");
    },
    syncDirectory: async (path: string) => {
      await real.syncDirectory(path);
      order.push(path.includes("spend") ? "records' directory" : "store's directory");
    },
  };
});
vi.mock("../src/rename-patiently.ts", async (original) => {
  const real = await original<typeof import("../src/rename-patiently.ts")>();
  return {
    renamePatiently: async (from: string, to: string) => {
      await real.renamePatiently(from, to);
      order.push(`rename ${basename(to)}`);
    },
  };
});

it(
  "syncs each step before the next: claim, answer, note, store, and the end of the record last",
  proves("oauth-store/durable-order"),
  async () => {
    const setting = await homeSetting();
    try {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      const mine = session();
      await mine.refresh(); // Makes the directories.
      const probe = await open(home.file(".credentials.json"));
      const handles = Object.getPrototypeOf(probe) as { sync(): Promise<void> };
      await probe.close();
      const sync = handles.sync;
      const spy = vi.spyOn(handles, "sync").mockImplementation(async function (this: unknown) {
        await sync.call(this);
        order.push("new file");
      });
      order.length = 0;
      const seen = tokens.server.waitFor(tokens.server.seen.length + 1).then(() => order.push("sent"));
      await mine.refresh();
      await mine.settle();
      await seen;
      spy.mockRestore();
      const at = order.indexOf("sent");
      // The rehearsal; then the claim and its name, in either order.
      expect(order[0]).toBe("new file");
      expect(order.slice(1, at).sort()).toEqual(["record", "records' directory"]);
      expect(order.slice(at + 1, at + 10)).toEqual([
        "record", // the sealed answer
        "record", // and its header
        "new file",
        "rename lineage",
        "records' directory",
        "new file",
        "rename .credentials.json",
        "store's directory",
        "record", // settled
      ]);
    } finally {
      await setting[Symbol.asyncDispose]();
    }
  },
);

it(
  "syncs what a killed process has made for its records, before it sends anything",
  proves("oauth-store/durable-order"),
  async () => {
    const setting = await homeSetting();
    try {
      const { tokens, save, session, another } = setting;
      await save(credentialOf(tokens.authority.login()));
      const other = another({ arm: ["records/directory-made"] });
      void other.ensureFresh().catch(() => {});
      await other.child.reached("records/directory-made");
      await other.child.kill();
      order.length = 0;
      const seen = tokens.server.waitFor(1).then(() => order.push("sent"));
      await session().ensureFresh();
      await seen;
      // The names of both directories, each in the one above it.
      const before = order.slice(0, order.indexOf("sent"));
      expect(before.slice(0, 2)).toEqual(["records' directory", "store's directory"]);
    } finally {
      await setting[Symbol.asyncDispose]();
    }
  },
);
