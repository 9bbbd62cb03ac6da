import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { type CredentialKind, type OAuthCredential, type OAuthView, oauthCredential } from "../src/index.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { signedIn } from "./support/signed-in.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it(
    "serves a token that is still valid at once and refreshes it in the background",
    proves("oauth-store/valid-is-served"),
    async () => {
      const setting = newSetting();
      const issued = setting.authority.login();
      await setting.save(credentialOf(issued, 200_000));
      const other = setting.session();
      expect((await other.ensureFresh()).view.accessToken).toBe(issued.accessToken);
      await other.settle();
      expect(setting.authority.presented).toHaveLength(1);
      expect(other.snapshot()?.view.accessToken).not.toBe(issued.accessToken);
    },
  );

  it(
    "adopts a clock that is an hour ahead of the server's without a storm",
    proves("oauth-store/lifetimes"),
    async () => {
      // The kind reads an absolute time that a clock an hour behind ours wrote.
      const kind: CredentialKind<OAuthCredential, OAuthView> = {
        ...oauthCredential,
        merge: (previous, answer, at) => ({
          ...oauthCredential.merge(previous, answer, at),
          expiresAtMs: at.receivedAtMs - 1,
        }),
      };
      const clock = steppingClock();
      const setting = newSetting({ kind, clock });
      await setting.save(credentialOf(setting.authority.login()));
      for (let more = 0; more < 5; more += 1) {
        await setting.session().ensureFresh();
        // Past the moment in which whatever was just issued is used.
        clock.advance(10_000);
      }
      expect(setting.authority.presented).toHaveLength(1);
    },
  );

  it(
    "uses a token that lives no longer than the window for half of its life",
    proves("oauth-store/lifetimes"),
    async () => {
      const clock = steppingClock();
      const setting = newSetting({ clock });
      const { authority, session } = setting;
      await setting.save(credentialOf(authority.login()));
      authority.expiresInS = 300;
      for (let more = 0; more < 5; more += 1) await session().ensureFresh();
      clock.advance(120_000);
      const other = session();
      await other.ensureFresh();
      await other.settle();
      expect(authority.presented).toHaveLength(1);
      clock.advance(40_000);
      await other.ensureFresh();
      await other.settle();
      expect(authority.presented).toHaveLength(2);
    },
  );

  it(
    "refreshes what looks spent on arrival once in two seconds",
    proves("oauth-store/lifetimes"),
    async () => {
      const clock = virtualClock();
      const setting = newSetting({ clock });
      const { authority, session } = setting;
      await setting.save(credentialOf(authority.login()));
      authority.expiresInS = 1;
      for (let more = 0; more < 3; more += 1) {
        await session().ensureFresh();
        await clock.advance(900);
      }
      expect(authority.presented).toHaveLength(1);
      await session().ensureFresh();
      expect(authority.presented).toHaveLength(2);
    },
  );

  it(
    "counts the life of a token from its receipt, whoever saves it and when",
    proves("oauth-store/lifetimes"),
    async () => {
      const receivedAtMs = Date.now() - 5 * HOUR;
      const clock = virtualClock(receivedAtMs);
      const setting = newSetting({ clock });
      await setting.save(credentialOf(setting.authority.login(), -10 * HOUR));
      const dying = setting.session({
        faultPoint: (name) => {
          if (name === "sealed") throw new Error("the process has ended");
        },
      });
      await expect(dying.ensureFresh()).rejects.toThrow();
      await clock.advance(HOUR / 2);
      await setting.session().ensureFresh();
      expect((await setting.stored())?.expiresAtMs).toBe(receivedAtMs + HOUR);
      expect(setting.authority.presented).toHaveLength(1);
    },
  );

  it(
    "takes an omitted lifetime for unknown, not for the old one",
    proves("oauth-store/lifetimes"),
    async () => {
      const clock = steppingClock();
      const setting = newSetting({ clock });
      const { authority, session } = setting;
      authority.expiresInS = undefined;
      await setting.save(credentialOf(authority.login()));
      const b = await session().ensureFresh();
      expect((await setting.stored())?.expiresAtMs).toBeUndefined();
      clock.advance(24 * HOUR);
      expect((await session().ensureFresh()).view.accessToken).toBe(b.view.accessToken);
      expect(authority.presented).toHaveLength(1);
    },
  );

  it(
    "respects the times in an entry that somebody changed by hand",
    proves("oauth-store/lifetimes"),
    async () => {
      const setting = newSetting();
      const { issued } = await signedIn(setting);
      await setting.save(credentialOf(issued, -1));
      await setting.session().ensureFresh();
      expect(setting.authority.presented).toEqual([issued.refreshToken]);
    },
  );

  describe("outcomes", () => {
    it(
      "a token still valid is served through a failing refresh it would have waited for",
      proves("oauth-store/valid-is-served"),
      async () => {
        const setting = newSetting();
        const issued = setting.authority.login();
        await setting.save(credentialOf(issued, 20_000));
        setting.authority.mischief.push({ status: 500 });
        expect((await setting.session().ensureFresh()).view.accessToken).toBe(issued.accessToken);
        expect(setting.authority.presented).toHaveLength(1);
      },
    );
  });
});
