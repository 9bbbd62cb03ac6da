import { inspect } from "node:util";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import {
  type CredentialKind,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
  type SpendSummary,
} from "../src/index.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf, KEY, type Session, type Setting } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const code = (name: string) => expect.objectContaining({ code: `ERR_OAUTH_STORE_${name}` });
const HOUR = 3_600_000;

async function signedIn(
  setting: Setting,
  leftMs = HOUR,
): Promise<{ mine: Session; issued: { accessToken: string; refreshToken: string } }> {
  const issued = setting.authority.login();
  const mine = setting.session();
  await mine.login(credentialOf(issued, leftMs));
  return { mine, issued };
}

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  it(
    "refreshes an expired credential once for 50 callers",
    proves("oauth-store/one-grant-for-all"),
    async () => {
      const { session, save, authority, stored, events } = newSetting();
      await save(credentialOf(authority.login()));
      const mine = session();
      const handles = await Promise.all(Array.from({ length: 50 }, () => mine.ensureFresh()));
      expect(new Set(handles).size).toBe(1);
      expect(authority.presented).toHaveLength(1);
      expect(authority.isLive((await stored())?.refreshToken)).toBe(true);
      expect(events.map((event) => event.type)).toEqual(["refreshed"]);
      await mine.settle();
    },
  );

  it("says that a login is needed where there is none", proves("oauth-store/nothing-to-spend"), async () => {
    const { session, grants } = newSetting();
    await expect(session().ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
    expect(grants).toEqual([]);
  });

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
    "never waits past a caller's own signal, and the refresh goes on",
    proves("oauth-store/callers-may-leave"),
    async () => {
      const { promise: gate, resolve: open } = Promise.withResolvers<void>();
      const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
      const setting = newSetting();
      const { authority, save, session, stored } = setting;
      await save(credentialOf(authority.login()));
      const mine = session({
        refreshGrant: async ({ refreshToken }) => {
          ask();
          await gate;
          return authority.grant(refreshToken);
        },
      });
      const leaving = new AbortController();
      const call = mine.ensureFresh({ signal: leaving.signal });
      await asked;
      leaving.abort(new Error("gave up"));
      await expect(call).rejects.toThrow("gave up");
      open();
      await mine.settle();
      expect(authority.presented).toHaveLength(1);
      expect((await stored())?.accessToken).toBe(mine.snapshot()?.view.accessToken);
    },
  );

  describe("recover", () => {
    it(
      "answers a late rejection with what replaced the token, and sends nothing",
      proves("oauth-store/late-rejection-adopts"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const a = await mine.ensureFresh();
        const b = await mine.recover(a);
        expect(setting.authority.presented).toHaveLength(1);
        for (let late = 0; late < 3; late += 1) expect(await mine.recover(a)).toBe(b);
        expect(setting.authority.presented).toHaveLength(1);
        expect([a.generation, b.generation, a.lineage === b.lineage]).toEqual([0, 1, true]);
      },
    );

    it(
      "spends once for any number of concurrent rejections of one generation",
      proves("oauth-store/one-grant-for-all"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const a = await mine.ensureFresh();
        const all = await Promise.all(Array.from({ length: 20 }, () => mine.recover(a)));
        expect(new Set(all).size).toBe(1);
        expect(setting.authority.presented).toHaveLength(1);
      },
    );

    it(
      "adopts what another session saved, without a grant",
      proves("oauth-store/late-rejection-adopts"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const other = setting.session();
        const a = await other.ensureFresh();
        const b = await mine.recover(await mine.ensureFresh());
        expect((await other.recover(a)).view.accessToken).toBe(b.view.accessToken);
        expect(setting.authority.presented).toHaveLength(1);
      },
    );

    it(
      "starts one more flight when the one it joined brings the rejected generation",
      proves("oauth-store/flight-tail"),
      async () => {
        const setting = newSetting();
        const { authority } = setting;
        const { promise: gate, resolve: open } = Promise.withResolvers<void>();
        let atGate = 0;
        const mine = setting.session({
          faultPoint: async (name) => {
            if (name !== "committed") return;
            atGate += 1;
            await gate;
          },
        });
        await setting.session().login(credentialOf(authority.login(), HOUR));
        const a = await mine.ensureFresh();
        const forced = mine.refresh();
        await expect.poll(() => atGate).toBe(1);
        // Another part of the process has read the store, used what it saw there, and was rejected.
        const b = await setting.session().ensureFresh();
        expect(b.generation).toBe(a.generation + 1);
        const recovering = mine.recover(b);
        open();
        expect((await forced).generation).toBe(b.generation);
        expect((await recovering).generation).toBe(b.generation + 1);
        expect(authority.presented).toHaveLength(2);
      },
    );

    it(
      "ends a flight when its result is out: who comes while its lock is still held starts another",
      proves("oauth-store/flight-tail"),
      async () => {
        const setting = newSetting();
        const published = Promise.withResolvers<void>();
        const opened = Promise.withResolvers<void>();
        await setting.save(credentialOf(setting.authority.login()));
        const mine = setting.session({
          faultPoint: async (name) => {
            if (name !== "published") return;
            published.resolve();
            await opened.promise;
          },
        });
        const first = mine.ensureFresh();
        await published.promise;
        expect(mine.snapshot()?.generation).toBe(1);
        const recovering = mine.recover(await first);
        opened.resolve();
        expect((await recovering).generation).toBe(2);
        expect(setting.authority.presented).toHaveLength(2);
      },
    );

    it.each([
      { clientId: "client-2" },
      { issuer: "https://another-as.example" },
      { serverUrl: "https://another-mcp.example/mcp" },
    ])(
      "does not hand one owner's operation another owner's credential: %j",
      proves("oauth-store/no-wrong-owner"),
      async (change) => {
        const setting = newSetting();
        const { mine, issued } = await signedIn(setting);
        const a = await mine.ensureFresh();
        const other = setting.session();
        await other.login({ ...credentialOf(setting.authority.login(), HOUR), ...change });
        await expect(mine.recover(a)).rejects.toEqual(code("REPLACED"));
        expect(setting.events).toContainEqual(
          expect.objectContaining({ type: "replaced", sameOwner: false }),
        );
        expect(setting.authority.presented).toHaveLength(0);
        // What was prepared with it may still be under way: the handle stays what it was.
        expect(Object.isFrozen(a)).toBe(true);
        expect(a.view.accessToken).toBe(issued.accessToken);
        expect((await mine.ensureFresh()).lineage).not.toBe(a.lineage);
      },
    );

    it(
      "nor after a login of this very session, nor when it is found in the second of two flights",
      proves("oauth-store/no-wrong-owner"),
      async () => {
        const setting = newSetting();
        const { authority } = setting;
        const another = () => ({ ...credentialOf(authority.login(), HOUR), clientId: "client-2" });
        const { mine } = await signedIn(setting);
        const a = await mine.ensureFresh();
        await mine.login(another());
        await expect(mine.recover(a)).rejects.toEqual(code("REPLACED"));

        const committed = Promise.withResolvers<void>();
        const opened = Promise.withResolvers<void>();
        let locks = 0;
        const slow = setting.session({
          faultPoint: async (name) => {
            if (name === "locked" && ++locks === 2) await setting.save(credentialOf(authority.login(), HOUR));
            if (name !== "committed") return;
            committed.resolve();
            await opened.promise;
          },
        });
        const forced = slow.refresh();
        await committed.promise;
        const b = await setting.session().ensureFresh();
        const recovering = slow.recover(b);
        opened.resolve();
        expect((await forced).generation).toBe(b.generation);
        await expect(recovering).rejects.toEqual(code("REPLACED"));
        expect(authority.presented).toHaveLength(1);
      },
    );

    it(
      "takes a new login of the same owner for the rejected one",
      proves("oauth-store/login-elsewhere"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        const a = await mine.ensureFresh();
        const again = setting.authority.login();
        await setting.session().login(credentialOf(again, HOUR));
        expect((await mine.recover(a)).view.accessToken).toBe(again.accessToken);
        expect(setting.authority.presented).toHaveLength(0);
      },
    );

    it(
      "gives up on a server that rejects what was just issued, after one more refresh",
      proves("oauth-store/fresh-rejection-bounded"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        let handle = await mine.ensureFresh();
        handle = await mine.recover(handle); // a login's token does not count
        handle = await mine.recover(handle); // one further refresh
        for (let more = 0; more < 3; more += 1) {
          await expect(mine.recover(handle)).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
        }
        const other = setting.session();
        await expect(other.recover(await other.ensureFresh())).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
        await expect(mine.ensureFresh()).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
        expect(setting.authority.presented).toHaveLength(2);
      },
    );

    it(
      "asks such a server again after a minute, and takes a token that was good for 10 s for no such case",
      proves("oauth-store/fresh-rejection-bounded"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const { mine } = await signedIn(setting);
        let handle = await mine.ensureFresh();
        for (let more = 0; more < 2; more += 1) handle = await mine.recover(handle);
        await expect(mine.recover(handle)).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_FRESH_TOKEN_REJECTED",
          retryAtMs: expect.any(Number),
        });
        clock.advance(58_000);
        await expect(mine.recover(handle)).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
        expect(setting.authority.presented).toHaveLength(2);
        clock.advance(3000);
        handle = await mine.recover(handle);
        for (let more = 0; more < 3; more += 1) {
          clock.advance(11_000);
          handle = await mine.recover(handle);
        }
        expect(setting.authority.presented).toHaveLength(6);
        clock.advance(8000);
        // Ten seconds after its receipt it would have been an ordinary one.
        await expect(mine.recover(handle)).rejects.toEqual(code("FRESH_TOKEN_REJECTED"));
      },
    );

    it(
      "tells generations apart by their place, not by their text: the server may issue the same one again",
      proves("oauth-store/late-rejection-adopts"),
      async () => {
        const setting = newSetting();
        const { authority } = setting;
        const issued = authority.login("f");
        const mine = setting.session();
        await mine.login(credentialOf(issued, HOUR));
        const a = await mine.ensureFresh();
        const next = authority.login("f");
        authority.mischief.push({
          json: { access_token: issued.accessToken, refresh_token: next.refreshToken, expires_in: 3600 },
        });
        const b = await mine.refresh();
        expect([b.generation, b.view.accessToken]).toEqual([1, issued.accessToken]);
        expect(await mine.recover(a)).toBe(b);
        expect(authority.presented).toHaveLength(1);
        // A way in that knows only the text means what is held now.
        expect((await mine.recoverBearer(issued.accessToken)).generation).toBe(2);
        expect((await mine.recoverBearer(issued.accessToken)).generation).toBe(2);
        expect(authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
      },
    );

    it(
      "adopts a token that says nothing of itself because it is newer",
      proves("oauth-store/late-rejection-adopts"),
      async () => {
        const setting = newSetting();
        const { authority, session } = setting;
        authority.expiresInS = undefined;
        await setting.save({ ...credentialOf(authority.login()), expiresAtMs: undefined });
        const [mine, other] = [session(), session()];
        const [a, sameA] = [await mine.ensureFresh(), await other.ensureFresh()];
        const b = await mine.recover(a);
        expect((await other.recover(sameA)).view.accessToken).toBe(b.view.accessToken);
        expect(authority.presented).toHaveLength(1);
      },
    );

    it(
      "does not serve a rejected token while it waits out a back-off",
      proves("oauth-store/rejected-is-not-served"),
      async () => {
        const setting = newSetting();
        const { mine } = await signedIn(setting);
        setting.authority.mischief.push({ status: 500 });
        const a = await mine.ensureFresh();
        await expect(mine.recover(a)).rejects.toMatchObject({ retry: "after" });
        await expect(mine.ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect(setting.authority.presented).toHaveLength(1);
      },
    );
  });

  it("8 forced refreshes at once spend once", proves("oauth-store/one-grant-for-all"), async () => {
    const setting = newSetting();
    const { mine } = await signedIn(setting);
    const all = await Promise.all(Array.from({ length: 8 }, () => mine.refresh()));
    expect(new Set(all).size).toBe(1);
    expect(setting.authority.presented).toHaveLength(1);
    expect(setting.grants[0]?.reason).toBe("forced");
  });

  describe("outcomes", () => {
    it(
      "a refusal is sent once, and told again to everybody without sending",
      proves("oauth-store/refused-once"),
      async () => {
        const setting = newSetting();
        await setting.save(
          credentialOf({ accessToken: "at-x", refreshToken: "rt-unknown-to-the-server-000" }),
        );
        for (let more = 0; more < 3; more += 1) {
          await expect(setting.session().ensureFresh()).rejects.toMatchObject({
            code: "ERR_OAUTH_STORE_REFUSED",
            reason: "invalid_grant",
            retry: "never",
          });
        }
        expect(setting.authority.presented).toHaveLength(1);
        const issued = setting.authority.login();
        await setting.save(credentialOf(issued));
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toHaveLength(2);
        expect(await setting.stored()).not.toBeUndefined();
      },
    );

    it(
      "a 500 puts the next attempt off for everybody, and a login survives it",
      proves("oauth-store/back-off-shared"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        await setting.save(credentialOf(setting.authority.login()));
        setting.authority.mischief.push({ status: 500 }, { status: 503 });
        for (let more = 0; more < 3; more += 1) {
          await expect(setting.session().ensureFresh()).rejects.toMatchObject({
            code: "ERR_OAUTH_STORE_TRANSIENT",
            retry: "after",
            retryAtMs: expect.any(Number),
          });
        }
        expect(setting.authority.presented).toHaveLength(1);
        clock.advance(1100);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(1100);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect(setting.authority.presented).toHaveLength(2);
        clock.advance(1000);
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toHaveLength(3);
      },
    );

    it(
      "ten minutes of 500 cost at most 12 sends, whoever asks",
      proves("oauth-store/back-off-shared"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        await setting.save(credentialOf(setting.authority.login()));
        for (let i = 0; i < 100; i += 1) setting.authority.mischief.push({ status: 500 });
        for (let second = 0; second < 600; second += 1) {
          await setting
            .session()
            .ensureFresh()
            .catch(() => {});
          clock.advance(1000);
        }
        expect(setting.authority.presented.length).toBeGreaterThan(3);
        expect(setting.authority.presented.length).toBeLessThanOrEqual(12);
      },
    );

    it(
      "honours a time the server names, up to 15 minutes",
      proves("oauth-store/back-off-shared"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        await setting.save(credentialOf(setting.authority.login()));
        setting.authority.mischief.push({ status: 429, retryAtMs: Date.now() + 60_000 });
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(59_000);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(2000);
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toHaveLength(2);
        setting.authority.mischief.push({ status: 429, retryAtMs: Date.now() + HOUR });
        await expect(setting.session().refresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(14 * 60_000);
        await expect(setting.session().refresh()).rejects.toEqual(code("TRANSIENT"));
        clock.advance(2 * 60_000);
        await setting.session().refresh();
        expect(setting.authority.presented).toHaveLength(4);
      },
    );

    it.each([
      ["200 {}", { json: {} }],
      ["garbage", { status: 200, body: "<html>" }],
      ["a page with 403", { status: 403, body: "<html>" }],
      ["a redirect", { status: 307 }],
      ["an error that is not final", { status: 400, body: '{"error":"slow_down"}' }],
      ["an answer nested 10,000 deep", { status: 200, body: `${"[".repeat(10_000)}` }],
    ])(
      "%s is no end of the login",
      proves("oauth-store/transient-is-not-permanent"),
      async (_name, trick) => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const issued = setting.authority.login();
        await setting.save(credentialOf(issued));
        setting.authority.mischief.push(trick);
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect((await setting.stored())?.refreshToken).toBe(issued.refreshToken);
        clock.advance(4000);
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toHaveLength(2);
      },
    );

    it.each([
      ["could not be sent", "deferred", "REFUSED"],
      ["was turned away", "deferred", "REFUSED"],
      ["got no answer", "unknown", "INTERRUPTED"],
      ["was answered with a 500", "unknown", "INTERRUPTED"],
    ])(
      "an attempt that %s is %s, and a refusal after it %s",
      proves("oauth-store/interrupted-is-named"),
      async (what, state, end) => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const { authority, session } = setting;
        await setting.save(
          credentialOf({ accessToken: "at-x", refreshToken: "rt-unknown-to-the-server-000" }),
        );
        if (what === "was turned away") authority.mischief.push({ status: 429 });
        if (what === "got no answer") authority.mischief.push({ lose: "before" });
        if (what === "was answered with a 500") authority.mischief.push({ status: 500 });
        // Nobody listens there.
        const closed = loopbackGrant("http://127.0.0.1:1/");
        const first = session(what === "could not be sent" ? { refreshGrant: closed } : {});
        await expect(first.ensureFresh()).rejects.toEqual(code("TRANSIENT"));
        expect((await first.explain()).spends).toMatchObject([{ state }]);
        clock.advance(4000);
        await expect(session().ensureFresh()).rejects.toEqual(code(end));
        expect(authority.presented).toHaveLength(what === "could not be sent" ? 1 : 2);
      },
    );

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

    it.each([
      ["no access token", "no-access-token", '"expires_in":60'],
      ["an access token that is no text", "no-access-token", '"access_token":7'],
      ["a blank access token", "no-access-token", '"access_token":" "'],
      ["another token type", "token-type", '"access_token":"at","token_type":"N_A"'],
      ["a lifetime beyond numbers", "lifetime", '"access_token":"at","expires_in":1e999'],
      ["no lifetime left", "lifetime", '"access_token":"at","expires_in":0'],
      ["a lifetime in words", "lifetime", '"access_token":"at","expires_in":"soon"'],
    ])(
      "keeps the refresh token of an answer with %s",
      proves("oauth-store/odd-answers"),
      async (_, reason, body) => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const { authority, session } = setting;
        const issued = authority.login("f");
        await setting.save(credentialOf(issued));
        const next = authority.login("f");
        authority.mischief.push({ status: 200, body: `{"refresh_token":"${next.refreshToken}",${body}}` });
        await expect(session().ensureFresh()).rejects.toMatchObject({ reason, retry: "after" });
        await expect(session().ensureFresh()).rejects.toMatchObject({ reason });
        expect(await setting.stored()).toMatchObject({
          accessToken: issued.accessToken,
          refreshToken: next.refreshToken,
        });
        clock.advance(4000);
        await session().ensureFresh();
        expect(authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
      },
    );

    it(
      "keeps a good refresh token beside a bad access token, as a failure with back-off",
      proves("oauth-store/odd-answers"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const issued = setting.authority.login("f");
        await setting.save(credentialOf(issued));
        const next = setting.authority.login("f");
        setting.authority.mischief.push({
          json: { access_token: "at-bad", refresh_token: next.refreshToken, token_type: "N_A" },
        });
        for (let more = 0; more < 2; more += 1) {
          await expect(setting.session().ensureFresh()).rejects.toMatchObject({ reason: "token-type" });
        }
        expect(await setting.stored()).toMatchObject({
          refreshToken: next.refreshToken,
          accessToken: issued.accessToken,
        });
        clock.advance(4000);
        await setting.session().ensureFresh();
        expect(setting.authority.presented).toEqual([issued.refreshToken, next.refreshToken]);
      },
    );

    it("the same tokens again are no progress", proves("oauth-store/odd-answers"), async () => {
      const setting = newSetting();
      const { mine, issued } = await signedIn(setting);
      setting.authority.mischief.push({
        json: { access_token: issued.accessToken, refresh_token: issued.refreshToken, expires_in: 60 },
      });
      await expect(mine.recover(await mine.ensureFresh())).rejects.toMatchObject({ reason: "no-progress" });
    });

    it(
      "nor are they when nobody rejected them; a longer life of the same access token is",
      proves("oauth-store/odd-answers"),
      async () => {
        const clock = steppingClock();
        const setting = newSetting({ clock });
        const { authority, session } = setting;
        const issued = authority.login();
        const same = { access_token: issued.accessToken, refresh_token: issued.refreshToken };
        await setting.save(credentialOf(issued));
        authority.mischief.push({ json: same }, { json: { ...same, expires_in: 3600 } });
        await expect(session().ensureFresh()).rejects.toMatchObject({
          reason: "no-progress",
          retry: "after",
        });
        await expect(session().ensureFresh()).rejects.toMatchObject({ reason: "no-progress" });
        expect(authority.presented).toHaveLength(1);
        clock.advance(4000);
        const b = await session().ensureFresh();
        expect([b.generation, b.view.accessToken]).toEqual([1, issued.accessToken]);
        authority.mischief.push({ json: { ...same, expires_in: 7200 } });
        await expect(session().refresh()).rejects.toMatchObject({ reason: "no-progress" });
        expect(authority.presented).toHaveLength(3);
      },
    );

    it(
      "a server that does not rotate can be asked again and again",
      proves("oauth-store/not-rotating"),
      async () => {
        const setting = newSetting();
        const { mine, issued } = await signedIn(setting);
        for (let round = 1; round <= 3; round += 1) {
          setting.authority.mischief.push({ json: { access_token: `at-round-${round}`, expires_in: 3600 } });
          expect((await mine.refresh()).view.accessToken).toBe(`at-round-${round}`);
        }
        expect((await setting.stored())?.refreshToken).toBe(issued.refreshToken);
        expect((await mine.explain()).spends).toEqual([]);
      },
    );

    it(
      "never sends a token again that came back for another account, until a login",
      proves("oauth-store/no-wrong-owner"),
      async () => {
        const kind: CredentialKind<OAuthCredential, OAuthView> = {
          ...oauthCredential,
          validate: (_previous, answer) =>
            JSON.stringify(answer).includes("somebody-else")
              ? { outcome: "wrong-account" }
              : { outcome: "usable", lifetimeMs: HOUR },
        };
        const revoked: (string | undefined)[] = [];
        const setting = newSetting({
          kind,
          revoke: async ({ refreshToken }) => void revoked.push(refreshToken),
        });
        await setting.save(credentialOf(setting.authority.login()));
        setting.authority.mischief.push({
          json: { access_token: "somebody-else", refresh_token: "rt-of-somebody-else-0000000" },
        });
        for (let more = 0; more < 3; more += 1) {
          await expect(setting.session().ensureFresh()).rejects.toEqual(code("WRONG_OWNER"));
        }
        expect(setting.authority.presented).toHaveLength(1);
        const explained = await setting.session().explain();
        expect(explained.verdict).toBe("wrong-account");
        // What came stays sealed, and is not revoked either: that could end the whole grant.
        expect(explained.spends).toMatchObject([{ state: "sealed", outcomeCode: "wrong-account" }]);
        const mine = setting.session();
        const again = setting.authority.login();
        await mine.login(credentialOf(again, HOUR));
        expect((await mine.ensureFresh()).view.accessToken).not.toBe("somebody-else");
        expect(revoked).toEqual([]);
        // Nor by the one logout there is.
        await mine.logout();
        expect(revoked).toEqual([again.refreshToken]);
      },
    );

    it(
      "has nothing to spend: says so and sends nothing",
      proves("oauth-store/nothing-to-spend"),
      async () => {
        const setting = newSetting();
        await setting.save(credentialOf({ accessToken: "at-only" }));
        await expect(setting.session().ensureFresh()).rejects.toMatchObject({
          code: "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
          reason: "no-refresh-token",
        });
        expect((await setting.session().explain()).verdict).toBe("unspendable");
        expect(setting.grants).toEqual([]);
      },
    );

    it(
      "has nothing to spend: claims nothing, and looks once for all who ask",
      proves("oauth-store/nothing-to-spend"),
      async () => {
        let reads = 0;
        const setting = newSetting({
          wrap: (inner) => ({
            ...inner,
            read(key) {
              reads += 1;
              return inner.read(key);
            },
          }),
        });
        await setting.save(credentialOf({ accessToken: "at-only" }));
        await expect(setting.session().ensureFresh()).rejects.toEqual(code("AUTHORIZATION_REQUIRED"));
        const forOne = reads;
        const mine = setting.session();
        const all = await Promise.allSettled(Array.from({ length: 20 }, () => mine.ensureFresh()));
        expect(all.map(({ status }) => status)).toEqual(Array(20).fill("rejected"));
        expect(reads).toBe(2 * forOne);
        expect((await mine.explain()).spends).toEqual([]);
      },
    );
  });

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
    "does not send what the store no longer holds when the claim stands",
    proves("oauth-store/login-wins"),
    async () => {
      const setting = newSetting();
      const { authority } = setting;
      await setting.save(credentialOf(authority.login()));
      const theirs = authority.login();
      let claims = 0;
      const mine = setting.session({
        faultPoint: async (name) => {
          if (name === "claimed" && claims++ === 0) await setting.save(credentialOf(theirs, HOUR));
        },
      });
      expect((await mine.ensureFresh()).view.accessToken).toBe(theirs.accessToken);
      expect(authority.presented).toEqual([]);
      expect((await mine.explain()).spends.filter(isSent)).toEqual([]);
    },
  );

  it(
    "starts over when the clocks move apart before the send",
    proves("oauth-store/clock-jumps"),
    async () => {
      const clock = steppingClock();
      let jumps = 0;
      const setting = newSetting({
        clock,
        faultPoint: (name) => {
          if (name === "checked" && jumps++ === 0) clock.jump(5000);
        },
      });
      await setting.save(credentialOf(setting.authority.login()));
      await setting.session().ensureFresh();
      expect(jumps).toBe(2);
      expect(setting.authority.presented).toHaveLength(1);
    },
  );

  it(
    "a store that cannot be read is no reason to log out or to use another",
    proves("oauth-store/store-unreadable"),
    async () => {
      let failing = false;
      const setting = newSetting({
        wrap: (inner) => ({
          ...inner,
          read: (key: string) => (failing ? Promise.reject(new Error("with a secret")) : inner.read(key)),
        }),
      });
      const { mine } = await signedIn(setting);
      const a = await mine.ensureFresh();
      failing = true;
      await expect(mine.recover(a)).rejects.toMatchObject({ reason: "store-read", retry: "after" });
      expect(setting.grants).toEqual([]);
      expect(mine.snapshot()).toBe(a);
      failing = false;
      expect((await mine.recover(a)).generation).toBe(1);
    },
  );

  it("gives refreshes what was pinned at login", proves("oauth-store/pins-reach-the-grant"), async () => {
    const setting = newSetting();
    const mine = setting.session();
    await mine.login(credentialOf(setting.authority.login(), HOUR), {
      pins: { endpoint: "https://as.example/token" },
    });
    await mine.refresh();
    await setting.session().refresh();
    expect(setting.grants.map((grant) => grant.pins)).toEqual(
      Array(2).fill({ endpoint: "https://as.example/token" }),
    );
  });

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

  it(
    "runs shared work in the context of its creator, not of the caller who came first",
    proves("oauth-store/own-context"),
    async () => {
      const { AsyncLocalStorage } = await import("node:async_hooks");
      const who = new AsyncLocalStorage<string>();
      const setting = newSetting();
      const seen: (string | undefined)[] = [];
      const mine = who.run("creator", () =>
        setting.session({
          refreshGrant: async ({ refreshToken }) => {
            seen.push(who.getStore());
            return setting.authority.grant(refreshToken);
          },
        }),
      );
      await setting.save(credentialOf(setting.authority.login()));
      await who.run("caller", () => mine.ensureFresh());
      expect(seen).toEqual(["creator"]);
    },
  );

  it("a caller whose signal has ended already starts nothing, and nothing is left unhandled", async () => {
    const setting = newSetting();
    const mine = setting.session();
    const signal = AbortSignal.abort(new Error("too late"));
    await expect(mine.ensureFresh({ signal })).rejects.toThrow("too late");
    await setting.save(credentialOf(setting.authority.login()));
    await expect(mine.ensureFresh({ signal })).rejects.toThrow("too late");
    await expect(mine.refresh({ signal })).rejects.toThrow("too late");
    await mine.settle();
    expect(setting.authority.presented).toEqual([]);
  });

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

  it("a closed session says so", async () => {
    const setting = newSetting();
    const { mine } = await signedIn(setting);
    await mine[Symbol.asyncDispose]();
    await expect(mine.ensureFresh()).rejects.toEqual(code("CLOSED"));
  });

  it(
    "a session used from inside its own grant is told so",
    proves("oauth-store/nested-downwards"),
    async () => {
      const setting = newSetting();
      await setting.save(credentialOf(setting.authority.login()));
      const seen: unknown[] = [];
      const mine: Session = setting.session({
        refreshGrant: async ({ refreshToken }) => {
          await mine.ensureFresh().catch((error: unknown) => seen.push(error));
          return setting.authority.grant(refreshToken);
        },
      });
      await mine.ensureFresh();
      expect(seen).toEqual([code("REENTERED")]);
    },
  );

  it("shows no secret in what it throws, says or is", proves("oauth-store/no-secret-shown"), async () => {
    const setting = newSetting();
    const { mine, issued } = await signedIn(setting);
    const a = await mine.ensureFresh();
    setting.authority.mischief.push({
      status: 400,
      body: `{"error":"invalid_grant","echo":"${issued.refreshToken}"}`,
    });
    const thrown = await mine.recover(a).catch((error: unknown) => error);
    const shown = [thrown, mine, a, await mine.status(), await mine.explain(), setting.store, setting.events];
    for (const one of shown) {
      const text = inspect(one, { depth: null, showHidden: true }) + JSON.stringify(one) + String(one);
      for (const secret of [issued.accessToken, issued.refreshToken]) expect(text).not.toContain(secret);
    }
    expect(KEY).toContain("mock");
  });
});

/** A claim that was given back may leave its number behind. */
function isSent({ outcomeCode }: SpendSummary): boolean {
  return outcomeCode !== "not-sent";
}
