import { chmod } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { blockStore, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { recordStates } from "./support/record-states.ts";
import { virtualClock } from "./support/virtual-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const states = () => recordStates(setting);

describe(createCredentialSession, () => {
  describe("what cannot be saved", () => {
    it(
      "is served, kept, and saved as soon as it can be; the spent token is not sent again",
      proves("oauth-store/unsaved-is-kept"),
      async () => {
        const { tokens, save, stored, session, events, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        let unblock = async () => {};
        const mine = session({
          faultPoint: async (name) => {
            if (name === "sealed") unblock = await blockStore(path);
          },
        });
        const b = await mine.ensureFresh();
        expect(tokens.authority.live.size).toBe(1);
        expect(await states()).toEqual(["sealed"]);
        expect(await mine.ensureFresh()).toBe(b);
        await expect(mine.recover(b)).rejects.toEqual(code("NOT_WRITABLE"));
        expect(tokens.authority.presented).toHaveLength(1);

        await unblock();
        await expect.poll(() => events.some((event) => event.type === "persisted")).toBe(true);
        expect((await stored())?.accessToken).toBe(b.view.accessToken);
        expect(await states()).toEqual(["settled"]);
        expect((await mine.recover(b)).generation).toBe(b.generation + 1);
        expect(tokens.authority.presented).toHaveLength(2);
      },
    );

    it(
      "is finished by another process, when the first one is gone",
      proves("oauth-store/unsaved-is-kept"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        let unblock = async () => {};
        const first = session({
          faultPoint: async (name) => {
            if (name === "sealed") unblock = await blockStore(path);
          },
        });
        const b = await first.ensureFresh();
        await unblock();
        const second = await session().ensureFresh();
        expect(second.view.accessToken).toBe(b.view.accessToken);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );

    it(
      "loses to a logout and to a login made meanwhile",
      proves("oauth-store/logout-wins", "oauth-store/login-wins"),
      async () => {
        const { tokens, save, stored, session, path } = setting;
        for (const what of ["logout", "login"] as const) {
          await save(credentialOf(tokens.authority.login()));
          let unblock = async () => {};
          const first = session({
            faultPoint: async (name) => {
              if (name === "sealed") unblock = await blockStore(path);
            },
          });
          await first.ensureFresh();
          await unblock();
          const again = tokens.authority.login();
          const second = session();
          if (what === "logout") await second.logout();
          else await second.login(credentialOf(again, HOUR));
          await first.settle();
          expect((await stored())?.accessToken).toBe(what === "logout" ? undefined : again.accessToken);
        }
      },
    );

    it(
      "spends nothing when it is known before that nothing can be saved",
      proves("oauth-store/rehearsed"),
      async () => {
        const { tokens, save, session, path, home } = setting;
        await save(credentialOf(tokens.authority.login()));
        await chmod(path, 0o400);
        await expect(session().ensureFresh()).rejects.toEqual(code("NOT_WRITABLE"));
        await chmod(path, 0o600);
        await chmod(home.path, 0o777);
        await expect(session().ensureFresh()).rejects.toEqual(code("UNSAFE_FILE"));
        await chmod(home.path, 0o700);
        expect(tokens.authority.presented).toHaveLength(0);
        await session().ensureFresh();
      },
    );
  });

  describe("a successor that another process has saved, under a refresh token that was kept", () => {
    it.each(["the same", "a later"])(
      "is not put over %s generation, nor takes its record away",
      proves("oauth-store/unsaved-is-kept", "oauth-store/not-rotating"),
      async (which) => {
        const { tokens, save, stored, session, path } = setting;
        const { mischief, presented } = tokens.authority;
        const kept = (name: string) => ({
          json: { access_token: name, token_type: "Bearer", expires_in: 3600 },
        });
        mischief.push(kept("at-first"));
        await save(credentialOf(tokens.authority.login()));
        let unblock = async () => {};
        const first = session({
          // Time stands still here: it saves when it is told to.
          clock: virtualClock(),
          faultPoint: async (name) => {
            if (name === "sealed") unblock = await blockStore(path);
          },
        });
        await first.ensureFresh();
        await unblock();
        const second = session();
        let newest = await second.ensureFresh();
        expect(newest.view.accessToken).toBe("at-first");
        if (which === "a later") {
          mischief.push(kept("at-second"));
          newest = await second.refresh();
        }
        mischief.push({ status: 500 });
        await expect(second.refresh()).rejects.toEqual(code("TRANSIENT"));
        expect(await states()).toEqual(["unknown"]);
        const sends = presented.length;

        await first.settle();
        expect((await stored())?.accessToken).toBe(newest.view.accessToken);
        expect(await session().status()).toMatchObject({
          handle: { generation: newest.generation },
          failure: { code: "ERR_OAUTH_STORE_TRANSIENT" },
        });
        expect(await states()).toEqual(["unknown"]);
        expect(presented).toHaveLength(sends);
      },
    );
  });

  describe("a login that could not be saved", () => {
    it.each(["login", "logout"])(
      "is not saved over a %s made elsewhere since",
      proves("oauth-store/login-wins", "oauth-store/logout-wins"),
      async (what) => {
        const { tokens, save, stored, session, store } = setting;
        await save(credentialOf(tokens.authority.login(), 3_600_000));
        let isBlocked = true;
        const first = session({
          // Time stands still here: it saves when it is told to.
          clock: virtualClock(),
          store: {
            ...store,
            update: (...given) => (isBlocked ? Promise.reject(new Error("not now")) : store.update(...given)),
          },
        });
        await first.login(credentialOf(tokens.authority.login(), 3_600_000));
        isBlocked = false;
        const again = tokens.authority.login();
        const second = session();
        if (what === "logout") await second.logout();
        else await second.login(credentialOf(again, 3_600_000));
        await first.settle();
        expect((await stored())?.accessToken).toBe(what === "logout" ? undefined : again.accessToken);
        const now = await first.refresh().catch((error: unknown) => error);
        if (what === "logout") expect(now).toEqual(code("AUTHORIZATION_REQUIRED"));
        else expect(now).toMatchObject({ view: { accessToken: again.accessToken } });
        expect(tokens.authority.presented).toEqual([]);
      },
    );
  });
});
