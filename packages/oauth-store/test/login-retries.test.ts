import { execFile } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CredentialStore, oauthCredential } from "../src/index.ts";
import { gate } from "./support/gate.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const ENDING = fileURLToPath(new URL("./children/ending-child.ts", import.meta.url));

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

function newLogin() {
  return credentialOf(setting.tokens.authority.login(), HOUR);
}

/** A fault point that fails the first time it is come to. */
function failingOnce(point: string): (name: string) => void {
  let times = 0;
  return (name) => {
    if (name === point && times++ === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
  };
}

/** The setting's store, which tells when it was read. */
function tellingStore(): { readonly store: CredentialStore; nextRead(): Promise<void> } {
  const { store } = setting;
  let tell = () => {};
  return {
    store: {
      ...store,
      async read(key) {
        const entry = await store.read(key);
        tell();
        return entry;
      },
    },
    nextRead: () =>
      new Promise((resolve) => {
        tell = resolve;
      }),
  };
}

const failures = () => setting.events.filter(({ type }) => type === "unpersisted").length;

describe("a login whose first save fails", () => {
  it.each(["lineage/file/renamed", "noted", "file/temporary-created"])(
    "at %s, over a login that was refreshed, is saved by the next try",
    proves("oauth-store/unsaved-is-kept"),
    async (point) => {
      const { save, session, stored, tokens } = setting;
      await save(credentialOf(tokens.authority.login()));
      await session().ensureFresh();
      const again = newLogin();
      const mine = session({ clock: virtualClock(), faultPoint: failingOnce(point) });
      await mine.login(again);
      expect(failures()).toBe(1);
      await mine.settle();
      expect((await stored())?.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "because the file may not be written to is saved when it may again",
    proves("oauth-store/unsaved-is-kept"),
    async () => {
      const { session, stored, path } = setting;
      await session().login(newLogin());
      await chmod(path, 0o400);
      const again = newLogin();
      const mine = session({ clock: virtualClock() });
      await mine.login(again);
      expect(failures()).toBe(1);
      await chmod(path, 0o600);
      await mine.settle();
      expect((await stored())?.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "after a logout that its own session had called before is saved over what that has left",
    proves("oauth-store/unsaved-is-kept"),
    async () => {
      const { session, stored } = setting;
      await session().login(newLogin());
      const logout = gate("noted");
      const fail = failingOnce("file/temporary-created");
      const { store, nextRead } = tellingStore();
      const mine = session({
        clock: virtualClock(),
        store,
        async faultPoint(name) {
          await logout.faultPoint(name);
          fail(name);
        },
      });
      await mine.ensureFresh();
      const leaving = mine.logout();
      await logout.reached;
      // What was there when the login was made is what the logout is about to remove.
      const read = nextRead();
      const again = newLogin();
      const login = mine.login(again);
      await read;
      logout.open();
      await Promise.all([leaving, login]);
      expect(failures()).toBe(1);
      await mine.settle();
      expect((await stored())?.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "while its own session was saving an earlier one is saved over that one",
    proves("oauth-store/unsaved-is-kept"),
    async () => {
      const { session, stored } = setting;
      await session().login(newLogin());
      const earlier = gate("store/locked");
      let saves = 0;
      const { store, nextRead } = tellingStore();
      const mine = session({
        clock: virtualClock(),
        store,
        async faultPoint(name) {
          await earlier.faultPoint(name);
          if (name === "store/locked" && ++saves === 2) throw new Error("not now");
        },
      });
      const first = mine.login(newLogin());
      await earlier.reached;
      const read = nextRead();
      const again = newLogin();
      const second = mine.login(again);
      await read;
      earlier.open();
      await Promise.all([first, second]);
      expect(failures()).toBe(1);
      await mine.settle();
      expect((await stored())?.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "over a file that cannot be read is saved by the next try, which moves that aside",
    proves("oauth-store/unsaved-is-kept", "oauth-store/corrupt-store"),
    async () => {
      const { session, stored, path } = setting;
      await session().login(newLogin());
      await writeFile(path, '{"broken', { mode: 0o600 });
      const again = newLogin();
      const mine = session({ clock: virtualClock(), faultPoint: failingOnce("store/locked") });
      await mine.login(again);
      expect(failures()).toBe(1);
      await mine.settle();
      expect((await stored())?.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "keeps its process running until it is saved, also behind an answer whose tries to be saved do not",
    proves("oauth-store/stays-to-save"),
    async () => {
      const { home, save, stored, tokens } = setting;
      await save(credentialOf(tokens.authority.login()));
      const login = newLogin();
      const entry = JSON.stringify(oauthCredential.serialize(login));
      const child = [ENDING, "login behind an answer", home.path, entry];
      await promisify(execFile)(process.execPath, ["--conditions=hawser-source", ...child]);
      expect((await stored())?.accessToken).toBe(login.accessToken);
    },
  );
});
