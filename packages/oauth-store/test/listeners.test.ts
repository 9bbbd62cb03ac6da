import { proves } from "@hawser/test-kit";
import { describe, expect, it, onTestFinished } from "vitest";
import { bothSettings } from "./support/disk-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, type Setting } from "./support/memory-setting.ts";
import { signedIn } from "./support/signed-in.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const newLogin = ({ authority }: Setting) => credentialOf(authority.login(), HOUR);

describe.each(bothSettings)("a listener, %s,", (_where, newSetting) => {
  it(
    "may log in when it is told that the login has ended elsewhere: that login stays",
    proves("oauth-store/events", "oauth-store/login-wins"),
    async () => {
      const setting = newSetting();
      const mine = setting.session();
      await mine.login(newLogin(setting));
      const handle = await mine.ensureFresh();
      const again = newLogin(setting);
      let login: Promise<unknown> | undefined;
      mine.onEvent(({ type }) => {
        if (type === "loggedOut") login ??= mine.login(again);
      });
      await setting.session().logout();
      // Who waits gets that login, and nothing that ends later takes it away again.
      expect((await mine.recover(handle)).view.accessToken).toBe(again.accessToken);
      expect(mine.snapshot()?.view.accessToken).toBe(again.accessToken);
      await login;
      expect((await mine.ensureFresh()).view.accessToken).toBe(again.accessToken);
      expect((await setting.stored())?.accessToken).toBe(again.accessToken);
    },
  );

  it(
    "may log out when it is told that an answer could not be saved: that login stays ended",
    proves("oauth-store/events", "oauth-store/logout-wins"),
    async () => {
      let isFull = false;
      const setting = newSetting({
        clock: virtualClock(),
        wrap: (inner) => ({
          ...inner,
          update: (...given) => (isFull ? Promise.reject(new Error("full")) : inner.update(...given)),
        }),
      });
      await setting.save(credentialOf(setting.authority.login()));
      // Without an access token to serve: what came is installed as expired, and the refresh fails.
      setting.authority.mischief.push({ json: { refresh_token: "rt-that-could-not-be-saved-at-once" } });
      const mine = setting.session();
      let logout: Promise<unknown> | undefined;
      mine.onEvent(({ type }) => {
        if (type !== "unpersisted") return;
        isFull = false;
        logout ??= mine.logout();
      });
      isFull = true;
      await expect(mine.ensureFresh()).rejects.toMatchObject({
        code: "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
      });
      expect(await logout).toMatchObject({ removed: true, failures: [] });
      expect(mine.snapshot()).toBeUndefined();
      expect(await setting.stored()).toBeUndefined();
    },
  );

  it(
    "is told of a logout before it is told of the login that came after it",
    proves("oauth-store/events"),
    async () => {
      const setting = newSetting();
      const mine = setting.session();
      await mine.login(newLogin(setting));
      const told: string[] = [];
      mine.onEvent(({ type }) => told.push(type));
      await Promise.all([mine.logout(), mine.login(newLogin(setting))]);
      expect(told).toEqual(["loggedOut", "loggedIn", "persisted"]);
    },
  );

  it(
    "that is async and rejects is not heard again, and ends no process",
    proves("oauth-store/events"),
    async () => {
      const unhandled: unknown[] = [];
      const note = (error: unknown) => unhandled.push(error);
      process.on("unhandledRejection", note);
      onTestFinished(() => void process.off("unhandledRejection", note));
      const setting = newSetting();
      const mine = setting.session();
      let heard = 0;
      mine.onEvent(async () => {
        heard += 1;
        throw new Error("listener");
      });
      await mine.login(newLogin(setting));
      await mine.refresh();
      // A rejection is called unhandled before the next turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      expect({ heard, unhandled }).toEqual({ heard: 1, unhandled: [] });
    },
  );
});

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it("a listener that throws is not heard again, and breaks nothing", async () => {
    const setting = newSetting();
    const { mine } = await signedIn(setting);
    let heard = 0;
    mine.onEvent(() => {
      heard += 1;
      throw new Error("listener");
    });
    await mine.refresh();
    await mine.refresh();
    expect(heard).toBe(1);
  });
});
