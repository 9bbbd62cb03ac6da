import { readdir } from "node:fs/promises";
import { expectNoSecret, proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKeyringStore, flockProvider, type KeyringStoreOptions } from "../src/index.ts";
import { code } from "./support/code.ts";
import { KEY } from "./support/memory-setting.ts";
import { type ScriptedKeyring, scriptedKeyring } from "./support/scripted-keyring.ts";

let home: TemporaryHome;
let keyring: ScriptedKeyring;
beforeEach(async () => {
  home = await temporaryHome();
  keyring = scriptedKeyring();
});
afterEach(() => home.remove());

const open = (options: Partial<KeyringStoreOptions> = {}) =>
  createKeyringStore({
    service: "S",
    lockDirectory: home.file("locks"),
    keyring,
    timeoutMs: 200,
    ...options,
  });
const write = (entry: string) => () => ({ write: { entry } });
const kept = (key = KEY) => keyring.secrets.get(`S ${key}`);

describe(createKeyringStore, () => {
  it(
    "never begins a write before an earlier one has settled, also one that was given up",
    proves("oauth-store/keyring-one-writer"),
    async () => {
      const store = open();
      const other = open();
      await store.update(KEY, write("R0"));
      const land = keyring.stick("set");
      await expect(store.update(KEY, write("R1"))).rejects.toEqual(code("KEYRING_BUSY"));
      // The lock is still kept: for this store, for another of this process, and for another process.
      for (const one of [store, other]) {
        await expect(one.update(KEY, write("R2"), { lockTimeoutMs: 30 })).rejects.toEqual(
          code("LOCK_TIMEOUT"),
        );
        await expect(one.rehearse(KEY, {}).catch((error: unknown) => error)).resolves.toEqual(
          code("LOCK_TIMEOUT"),
        );
      }
      const later = other.update(KEY, write("R2"));
      land();
      await later;
      expect(kept()).toBe('{"entry":"R2"}');
      expect(keyring.calls.filter((call) => call.startsWith("set"))).toHaveLength(3);
    },
  );

  it(
    "keeps no entry's lock for a write of another that was given up",
    proves("oauth-store/keyring-one-writer"),
    async () => {
      const store = open();
      const land = keyring.stick("set");
      await expect(store.update("a|0", write("A"))).rejects.toEqual(code("KEYRING_BUSY"));
      await expect(store.update("b|0", write("B"))).rejects.toEqual(code("KEYRING_BUSY"));
      // Another process, whose keyring answers.
      const other = open({ timeoutMs: 5000 });
      await other.update("b|0", write("B2"), { lockTimeoutMs: 1000 });
      await expect(other.update("a|0", write("A2"), { lockTimeoutMs: 30 })).rejects.toEqual(
        code("LOCK_TIMEOUT"),
      );
      land();
      await other.update("a|0", write("A3"));
      expect([kept("a|0"), kept("b|0")]).toEqual(['{"entry":"A3"}', '{"entry":"B2"}']);
    },
  );

  it(
    "makes one call at a time, and none whose caller has left before its turn",
    proves("oauth-store/keyring-one-writer"),
    async () => {
      const store = open();
      const answer = keyring.stick("get");
      const reads = [KEY, "b|0", "c|0"].map((key) => store.read(key));
      for (const read of reads) await expect(read).rejects.toEqual(code("KEYRING_BUSY"));
      answer();
      expect(await store.read("d|0")).toBeUndefined();
      expect(keyring.calls).toEqual([`get ${KEY}`, "get d|0"]);
      expect(keyring.mostUnder).toBe(1);
    },
  );

  it(
    "does not write when its turn comes too late, and gives the lock back at once",
    proves("oauth-store/keyring-one-writer"),
    async () => {
      const store = open();
      const answer = keyring.stick("get");
      await expect(store.update(KEY, write("R1"))).rejects.toEqual(code("KEYRING_BUSY"));
      const lock = await flockProvider().acquire(
        home.file("locks", (await readdir(home.file("locks")))[0] ?? ""),
        { timeoutMs: 0 },
      );
      lock.release();
      answer();
      expect(await store.read(KEY)).toBeUndefined();
      expect(keyring.calls).toEqual([`get ${KEY}`, `get ${KEY}`]);
    },
  );

  it("loses nothing of 12 concurrent updates", proves("oauth-store/keyring-one-writer"), async () => {
    const stores = [open({ timeoutMs: 5000 }), open({ timeoutMs: 5000 })];
    await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        stores[n % 2]?.update(KEY, (current) => ({ write: { ...(current as object), [`n${n}`]: n } })),
      ),
    );
    expect(Object.keys(JSON.parse(kept() ?? ""))).toHaveLength(12);
  });

  it(
    "reads back what it has written, and calls a keyring that kept nothing unreliable",
    proves("oauth-store/keyring-read-back"),
    async () => {
      keyring.forgetWrites();
      await expect(open().update(KEY, write("R0"))).rejects.toEqual(code("KEYRING_UNRELIABLE"));
      keyring.secrets.set(`S ${KEY}`, '{"entry":"old"}');
      keyring.entry = (service, account) => ({
        ...scriptedKeyring().entry(service, account),
        get: async () => '{"entry":"old"}',
      });
      await expect(open().update(KEY, () => "remove")).rejects.toEqual(code("KEYRING_UNRELIABLE"));
    },
  );

  it(
    "knows before anything is spent that a successor would not fit",
    proves("oauth-store/keyring-size"),
    async () => {
      const store = open({ maxValueBytes: 2560 });
      const fits = { text: "x".repeat(1200) };
      const padded = { ...fits, rehearsal: "x".repeat(4096) };
      await store.rehearse(KEY, fits);
      await store.rehearse(KEY, padded, { paddingBytes: 4096 });
      await expect(store.rehearse(KEY, padded)).rejects.toEqual(code("TOO_LARGE"));
      await expect(store.rehearse(KEY, { text: "x".repeat(1280) })).rejects.toEqual(code("TOO_LARGE"));
      await store.update(KEY, () => ({ write: fits }));
      await expect(store.update(KEY, () => ({ write: padded }))).rejects.toEqual(code("TOO_LARGE"));
      expect(kept()).toBe(JSON.stringify(fits));
      expect(keyring.calls.filter((call) => call.startsWith("set"))).toHaveLength(1);
    },
  );

  it("keeps an entry under the account it is told to", proves("oauth-store/keyring-formats"), async () => {
    await open({ account: () => "cli|0123456789abcdef" }).update(KEY, () => ({ write: { a: 1 } }));
    expect([...keyring.secrets]).toEqual([["S cli|0123456789abcdef", '{"a":1}']]);
  });

  it(
    "calls an entry that cannot be read corrupt; a login or logout puts it right",
    proves("oauth-store/corrupt-store"),
    async () => {
      const store = open();
      keyring.secrets.set(`S ${KEY}`, '{"broken');
      await expect(store.read(KEY)).rejects.toEqual(code("CORRUPT"));
      await expect(store.update(KEY, write("R0"))).rejects.toEqual(code("CORRUPT"));
      expect(kept()).toBe('{"broken');
      await store.update(KEY, write("R0"), { quarantine: true });
      expect(await store.read(KEY)).toEqual({ entry: "R0" });
      keyring.secrets.set(`S ${KEY}`, '{"broken');
      await store.update(KEY, () => "keep", { quarantine: true });
      expect(kept()).toBeUndefined();
    },
  );

  it(
    "shows no secret in an error, a lock file or itself",
    proves("oauth-store/no-secret-shown"),
    async () => {
      const secret = "planted-secret-of-the-keyring";
      const store = open();
      keyring.secrets.set(`S ${KEY}`, secret);
      const errors = [await store.read(KEY).catch((error: unknown) => error)];
      keyring.failWith(new Error(`bad data: ${secret}`));
      errors.push(await store.read(KEY).catch((error: unknown) => error));
      errors.push(await store.update(KEY, write(secret)).catch((error: unknown) => error));
      expect(errors).toEqual([code("CORRUPT"), code("KEYRING_UNAVAILABLE"), code("KEYRING_UNAVAILABLE")]);
      expectNoSecret([errors, store, await readdir(home.path, { recursive: true })], [secret]);
    },
  );
});
