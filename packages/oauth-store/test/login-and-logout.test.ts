import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, type Session } from "./support/memory-setting.ts";
import { signedIn } from "./support/signed-in.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  describe("login and logout", () => {
    it("a logout during a refresh is not undone by it", proves("oauth-store/logout-wins"), async () => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const revoked: (string | undefined)[] = [];
      const setting = newSetting();
      await setting.save(credentialOf(setting.authority.login()));
      const mine = setting.session({
        refreshGrant: async ({ refreshToken }) => {
          const answer = setting.authority.grant(refreshToken);
          await gate;
          return answer;
        },
        revoke: async (credential) => void revoked.push(credential.refreshToken),
      });
      const waiting = mine.ensureFresh();
      waiting.catch(() => {});
      await expect.poll(() => setting.authority.presented.length).toBe(1);
      const leaving = mine.logout();
      await expect(waiting).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      expect(mine.snapshot()).toBeUndefined();
      await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      open();
      expect(await leaving).toEqual({ removed: true, failures: [], revoked: true });
      await mine.settle();
      expect(await setting.stored()).toBeUndefined();
      expect(mine.snapshot()).toBeUndefined();
      expect(revoked).toEqual([...setting.authority.live.keys()]);
      expect((await mine.explain()).verdict).toBe("logged-out");
    });

    it("a login during a refresh wins", proves("oauth-store/login-wins"), async () => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const setting = newSetting();
      await setting.save(credentialOf(setting.authority.login()));
      const mine = setting.session({
        refreshGrant: async ({ refreshToken }) => {
          const answer = setting.authority.grant(refreshToken);
          await gate;
          return answer;
        },
      });
      const waiting = mine.ensureFresh();
      await expect.poll(() => setting.authority.presented.length).toBe(1);
      const again = setting.authority.login();
      const login = mine.login(credentialOf(again, HOUR));
      expect((await waiting).view.accessToken).toBe(again.accessToken);
      open();
      await login;
      await mine.settle();
      expect((await setting.stored())?.accessToken).toBe(again.accessToken);
      expect(mine.snapshot()?.view.accessToken).toBe(again.accessToken);
    });

    it(
      "a login is saved although the refresh it overtook could not be",
      proves("oauth-store/login-wins"),
      async () => {
        let failures = 0;
        const setting = newSetting({
          wrap: (inner) => ({
            ...inner,
            update: (...all) =>
              failures-- > 0 ? Promise.reject(new Error("with a secret")) : inner.update(...all),
          }),
        });
        await setting.save(credentialOf(setting.authority.login()));
        failures = 1;
        const again = setting.authority.login();
        let login: Promise<unknown> | undefined;
        const mine: Session = setting.session({
          faultPoint: (name) => {
            if (name === "sealed") login = mine.login(credentialOf(again, HOUR));
          },
        });
        expect((await mine.ensureFresh()).view.accessToken).toBe(again.accessToken);
        await login;
        await mine.settle();
        expect((await setting.stored())?.accessToken).toBe(again.accessToken);
        expect(failures).toBeLessThan(0);
      },
    );

    it(
      "of a logout and a login called in turn, the later one stands",
      proves("oauth-store/login-wins", "oauth-store/logout-wins"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const again = setting.authority.login();
        const out = mine.logout();
        const login = mine.login(credentialOf(again, HOUR));
        await Promise.all([out, login]);
        await mine.settle();
        expect((await setting.stored())?.accessToken).toBe(again.accessToken);
        expect((await mine.ensureFresh()).view.accessToken).toBe(again.accessToken);

        const last = mine.login(credentialOf(setting.authority.login(), HOUR));
        await Promise.all([last, mine.logout()]);
        await mine.settle();
        expect(await setting.stored()).toBeUndefined();
        expect(mine.snapshot()).toBeUndefined();
        await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
      },
    );

    it(
      "a logout that cannot empty the store says so, and this process stays logged out",
      proves("oauth-store/logout-wins"),
      async () => {
        let failing = false;
        const setting = newSetting({
          wrap: (inner) => ({
            ...inner,
            update: (...all) => (failing ? Promise.reject(new Error("with a secret")) : inner.update(...all)),
          }),
        });
        const { mine } = await signedIn(setting);
        failing = true;
        expect(await mine.logout()).toEqual({
          removed: false,
          failures: [{ store: setting.store.name, code: "unknown" }],
        });
        await expect(mine.ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
        failing = false;
        const again = setting.authority.login();
        await setting.session().login(credentialOf(again, HOUR));
        expect((await mine.ensureFresh()).view.accessToken).toBe(again.accessToken);
      },
    );

    it(
      "a logout in another session ends this one at its next need, without a grant",
      proves("oauth-store/login-elsewhere"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const a = await mine.ensureFresh();
        await setting.session().logout();
        await expect(mine.recover(a)).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
        expect(setting.events).toContainEqual({ type: "loggedOut", elsewhere: true });
        expect(setting.authority.presented).toHaveLength(0);
      },
    );

    it("a login resets a refusal", proves("oauth-store/login-wins"), async () => {
      const setting = newSetting();
      await setting.save(credentialOf({ accessToken: "at-x", refreshToken: "rt-unknown-to-the-server-000" }));
      const mine = setting.session();
      await expect(mine.ensureFresh()).rejects.toEqual(code("REFUSED"));
      const again = setting.authority.login();
      await mine.login(credentialOf(again, HOUR));
      expect((await mine.status()).state).toBe("usable");
      expect((await mine.recover(await mine.ensureFresh())).generation).toBe(1);
    });
  });
});
