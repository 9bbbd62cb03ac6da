import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type CredentialClock,
  type CredentialKind,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
} from "../src/index.ts";
import { code } from "./support/code.ts";
import { gate } from "./support/gate.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { uselessLocks } from "./support/useless-locks.ts";

type Kind = CredentialKind<OAuthCredential, OAuthView>;

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const spends = async () => (await setting.session().explain()).spends;

function clockAhead(ms: number): CredentialClock {
  const clock = steppingClock();
  clock.advance(ms);
  return clock;
}

describe("a refresh token", () => {
  it(
    "that the server hands out once more is good again, and the login goes on with it",
    proves("oauth-store/not-rotating"),
    async () => {
      const { tokens, save, session, stored } = setting;
      const [one, two] = ["rt-one-of-two-that-take-turns", "rt-two-of-two-that-take-turns"];
      await save(credentialOf({ accessToken: "at-0", refreshToken: one }));
      const mine = session();
      for (const [at, refreshToken] of [two, one, two, one].entries()) {
        tokens.authority.mischief.push({
          json: { access_token: `at-${at + 1}`, refresh_token: refreshToken, expires_in: 3600 },
        });
        expect((await (at === 3 ? session() : mine).refresh()).view.accessToken).toBe(`at-${at + 1}`);
        expect((await stored())?.refreshToken).toBe(refreshToken);
      }
      expect(tokens.authority.presented).toEqual([one, two, one, two]);
      expect((await session().explain()).verdict).toBe("working");
    },
  );
});

describe("a sealed answer", () => {
  it.each(["claim/created", "claimed"])(
    "is found below a later claim of somebody who took its receiver for dead and died at %s",
    proves("oauth-store/claim-without-lock", "oauth-store/crash-loses-nothing"),
    async (point) => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const answered = gate("answered");
      const first = session({
        locks: uselessLocks,
        async faultPoint(name) {
          await answered.faultPoint(name);
          if (name === "sealed") throw new Error("the process has ended");
        },
      }).ensureFresh();
      await answered.reached;
      const claimed = gate(point);
      const second = session({
        locks: uselessLocks,
        clock: clockAhead(61_000),
        faultPoint: claimed.faultPoint,
      }).ensureFresh();
      await claimed.reached;
      answered.open();
      await expect(first).rejects.toEqual(code("TRANSIENT"));

      const third = await session({ locks: uselessLocks, clock: clockAhead(181_000) }).ensureFresh();
      expect(third.generation).toBe(1);
      // Had it lived, it would have seen that, too.
      claimed.open();
      expect((await second).view.accessToken).toBe(third.view.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each<[string, Kind, Partial<OAuthCredential>]>([
    ["another issuer is configured", { ...oauthCredential, issuer: () => "https://other.example" }, {}],
    ["another client is configured", { ...oauthCredential, client: () => "client-2" }, {}],
    ["another client is named in the store", oauthCredential, { clientId: "client-2" }],
  ])(
    "opens when %s than the one that asked",
    proves("oauth-store/crash-loses-nothing"),
    async (_what, kind, changed) => {
      const { tokens, save, session } = setting;
      const credential = credentialOf(tokens.authority.login());
      await save(credential);
      const other = setting.another({ arm: ["sealed"] });
      void other.ensureFresh().catch(() => {});
      await other.child.reached("sealed");
      await other.child.kill();
      await save({ ...credential, ...changed });

      const next = await session({ kind }).ensureFresh();
      expect(tokens.authority.isLive((await setting.stored())?.refreshToken)).toBe(true);
      expect(next.view.accessToken).toBe((await setting.stored())?.accessToken);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it(
    "stays sealed while the kind cannot judge it, and is used when it can",
    proves("oauth-store/odd-answers", "oauth-store/unsaved-is-kept"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const broken: Kind = {
        ...oauthCredential,
        validate() {
          throw new Error("cannot read the identity token");
        },
      };
      for (let tries = 0; tries < 2; tries += 1) {
        await expect(session({ kind: broken }).ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect(await spends()).toMatchObject([{ state: "sealed" }]);
      }
      expect((await session().ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});

describe("an answer", () => {
  it(
    "with a byte that is not UTF-8 beside its tokens is read",
    proves("oauth-store/odd-answers"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const grant = loopbackGrant(tokens.url);
      const mine = session({
        async refreshGrant(input) {
          const answer = await grant(input);
          if (answer.sent !== "yes") return answer;
          const text = Buffer.from(answer.body).toString();
          return { ...answer, body: Buffer.from(text.replace(/}$/, ',"name":"Jos\u00e9"}'), "latin1") };
        },
      });
      expect((await mine.ensureFresh()).generation).toBe(1);
      expect(await spends()).toMatchObject([{ state: "settled" }]);
      expect((await mine.refresh()).generation).toBe(2);
    },
  );
});
