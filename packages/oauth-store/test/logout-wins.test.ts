import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { backUp, blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, type Session } from "./support/memory-setting.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe(createCredentialSession, () => {
  it(
    "a logout that overtakes a successor on its way into the store revokes that one",
    proves("oauth-store/logout-wins"),
    async () => {
      const { tokens, save, stored, session, path } = setting;
      // Too short to seal with: the successor is nowhere but here.
      await save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
      tokens.authority.live.set("rt-short", "family");
      const revoked: (string | undefined)[] = [];
      let unblock = async () => {};
      let logout: Promise<unknown> = Promise.resolve();
      let locks = 0;
      const first: Session = session({
        revoke: async ({ refreshToken }) => void revoked.push(refreshToken),
        faultPoint: async (name) => {
          // The refresh, the refresh that starts over, the logout.
          if (name === "locked" && ++locks === 3) await unblock();
          if (name !== "sealed") return;
          unblock = await blockStore(path);
          logout = first.logout();
        },
      });
      await expect(first.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      await logout;
      expect(locks).toBe(3);
      expect(await stored()).toBeUndefined();
      expect(revoked).toEqual([...tokens.authority.live.keys()]);
      expect(tokens.authority.presented).toEqual(["rt-short"]);
    },
  );
});

describe("a login that has ended", () => {
  it(
    "is not brought back by a session that still holds it when an old copy is restored after a logout",
    proves("oauth-store/logout-wins", "oauth-store/store-went-back"),
    async () => {
      const { tokens, save, stored, session, path, events } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      const mine = session();
      const b = await mine.ensureFresh();
      await session().logout();
      await restore();
      await expect(mine.recover(b)).rejects.toEqual(code("SUPERSEDED"));
      expect(events).toContainEqual({ type: "loggedOut", elsewhere: true });
      expect((await stored())?.accessToken).not.toBe(b.view.accessToken);
      expect(mine.snapshot()).toBeUndefined();
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each(bothSettings)(
    "is not spent: a logout while the claim is made keeps the grant from being sent, %s",
    proves("oauth-store/logout-wins"),
    async (_where, newSetting) => {
      const store = newSetting();
      await store.save(credentialOf(store.authority.login()));
      let leaving: Promise<unknown> | undefined;
      const mine: Session = store.session({
        faultPoint: (name) => {
          if (name === "checked") leaving = mine.logout();
        },
      });
      await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      await leaving;
      expect(store.grants).toEqual([]);
      expect(await store.stored()).toBeUndefined();
    },
  );
});
