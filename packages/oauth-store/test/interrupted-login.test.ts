import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, type SessionOptions } from "./support/memory-setting.ts";

const PINS = { tokenEndpoint: "https://login.example/token" };

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

function newLogin() {
  return credentialOf(setting.tokens.authority.login(), HOUR);
}

/** The pins that the next refresh of what is stored is handed. */
async function pinsOfNext(): Promise<unknown> {
  let seen: unknown;
  const next = setting.session({
    refreshGrant: async ({ pins, refreshToken }) => {
      seen = pins;
      return setting.tokens.authority.grant(refreshToken);
    },
  });
  await next.refresh();
  return seen;
}

/** A disk that has room for the note of a login, and none for the store, until it is cleared. */
function fullAfterNote(): { readonly options: Partial<SessionOptions>; clear(): void } {
  let full = true;
  const faultPoint = (name: string) => {
    if (full && name === "file/temporary-created") throw Object.assign(new Error("full"), { code: "ENOSPC" });
  };
  return {
    options: { faultPoint },
    clear: () => {
      full = false;
    },
  };
}

describe(createCredentialSession, () => {
  it.each(["noted", "file/temporary-created", "file/temporary-written"])(
    "keeps the earlier login its lineage and its pins when another login is killed at %s",
    proves("oauth-store/crash-in-login-and-logout", "oauth-store/pins-reach-the-grant"),
    async (point) => {
      const first = await setting.session().login(newLogin(), { pins: PINS });
      const other = setting.another({ arm: [point] });
      void other.login(newLogin()).catch(() => {});
      await other.child.reached(point);
      await other.child.kill();

      expect((await setting.session().ensureFresh()).lineage).toBe(first.lineage);
      expect(await pinsOfNext()).toEqual(PINS);
      // Also in the generation after it, whose note names the earlier login alone.
      expect(await pinsOfNext()).toEqual(PINS);
      expect((await setting.session().ensureFresh()).lineage).toBe(first.lineage);
    },
  );

  it(
    "keeps the earlier login its pins through two logins that were not saved",
    proves("oauth-store/crash-in-login-and-logout", "oauth-store/pins-reach-the-grant"),
    async () => {
      const first = await setting.session().login(newLogin(), { pins: PINS });
      for (let logins = 0; logins < 2; logins += 1) {
        const other = setting.another({ arm: ["noted"] });
        void other.login(newLogin()).catch(() => {});
        await other.child.reached("noted");
        await other.child.kill();
      }

      expect((await setting.session().ensureFresh()).lineage).toBe(first.lineage);
      expect(await pinsOfNext()).toEqual(PINS);
    },
  );

  it(
    "forgets the earlier login's pins once another login is saved",
    proves("oauth-store/pins-reach-the-grant"),
    async () => {
      await setting.session().login(newLogin(), { pins: PINS });
      await setting.session().login(newLogin());

      expect(await pinsOfNext()).toEqual({});
      expect(await setting.allText()).not.toContain(PINS.tokenEndpoint);
    },
  );

  it(
    "saves a login later whose disk was full behind its note, and leaves the earlier one its pins until then",
    proves("oauth-store/unsaved-is-kept", "oauth-store/pins-reach-the-grant"),
    async () => {
      await setting.session().login(newLogin(), { pins: PINS });
      const disk = fullAfterNote();
      const session = setting.session(disk.options);
      const credential = newLogin();
      const made = await session.login(credential);
      // Tried again while the disk is as full as before.
      await session.settle();
      expect((await setting.stored())?.refreshToken).not.toBe(credential.refreshToken);
      expect((await setting.session().ensureFresh()).lineage).not.toBe(made.lineage);

      disk.clear();
      await session.settle();
      expect((await setting.stored())?.refreshToken).toBe(credential.refreshToken);
      expect((await setting.session().ensureFresh()).lineage).toBe(made.lineage);
    },
  );

  it(
    "tells a login that was killed before it was saved from a removal by somebody else",
    proves("oauth-store/explains"),
    async () => {
      const other = setting.another({ arm: ["noted"] });
      void other.login(newLogin()).catch(() => {});
      await other.child.reached("noted");
      await other.child.kill();

      expect(await setting.session().explain()).toMatchObject({ verdict: "login-unsaved" });
      await setting.session().login(newLogin());
      expect(await setting.session().explain()).toMatchObject({ verdict: "working" });
    },
  );

  it(
    "calls a logout a logout while it is under way, and when it was killed before it could say so",
    proves("oauth-store/explains", "oauth-store/crash-in-login-and-logout"),
    async () => {
      await setting.session().login(newLogin());
      const other = setting.another({ arm: ["removed"] });
      await other.ensureFresh();
      void other.logout().catch(() => {});
      await other.child.reached("removed");
      expect(await setting.session().explain()).toMatchObject({ verdict: "logged-out-elsewhere" });
      await other.child.kill();

      expect(await setting.session().explain()).toMatchObject({ verdict: "logged-out-elsewhere" });
    },
  );

  it(
    "takes with a logout what a login that was killed before it was saved has left on the disk",
    proves("oauth-store/crash-in-login-and-logout"),
    async () => {
      const credential = newLogin();
      const other = setting.another({ arm: ["file/temporary-written"] });
      void other.login(credential).catch(() => {});
      await other.child.reached("file/temporary-written");
      await other.child.kill();
      expect(await setting.allText()).toContain(credential.accessToken);

      expect(await setting.session().logout()).toEqual({ removed: false, failures: [] });
      expect(await setting.allText()).not.toContain(credential.accessToken);
    },
  );

  it(
    "keeps a login that somebody began to log out of and did not",
    proves("oauth-store/crash-in-login-and-logout"),
    async () => {
      const first = await setting.session().login(newLogin(), { pins: PINS });
      const other = setting.another({ arm: ["noted"] });
      await other.ensureFresh();
      void other.logout().catch(() => {});
      await other.child.reached("noted");
      await other.child.kill();

      const next = setting.session();
      expect((await next.ensureFresh()).lineage).toBe(first.lineage);
      expect(await pinsOfNext()).toEqual(PINS);
      expect(await next.explain()).toMatchObject({ verdict: "working" });
    },
  );

  it(
    "puts a login made over an unreadable store into the one that a logout had emptied",
    proves("oauth-store/unsaved-is-kept"),
    async () => {
      await setting.store.update("other|1", () => ({ write: {} }));
      const before = setting.session();
      await before.login(newLogin());
      await before.logout();
      const unblock = await blockStore(setting.path);
      const session = setting.session();
      const made = await session.login(newLogin());
      await unblock();
      await session.settle();

      expect((await setting.session().ensureFresh()).lineage).toBe(made.lineage);
    },
  );
});
