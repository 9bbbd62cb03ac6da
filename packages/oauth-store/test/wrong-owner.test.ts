import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CredentialKind, type OAuthCredential, type OAuthView, oauthCredential } from "../src/index.ts";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { signedIn } from "./support/signed-in.ts";

describe.each(bothSettings)("a session %s", (_where, newSetting) => {
  describe("recover", () => {
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
  });

  describe("outcomes", () => {
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
  });
});

describe("an answer", () => {
  let setting: HomeSetting;
  beforeEach(async () => {
    setting = await homeSetting();
  });
  afterEach(() => setting[Symbol.asyncDispose]());

  it(
    "for another account stays sealed, and nothing is sent by anybody until a login",
    proves("oauth-store/no-wrong-owner"),
    async () => {
      const { tokens, save, stored, session, records } = setting;
      const kind: CredentialKind<OAuthCredential, OAuthView> = {
        ...oauthCredential,
        validate: (previous, answer) =>
          JSON.stringify(answer).includes("somebody-else")
            ? { outcome: "wrong-account" }
            : oauthCredential.validate(previous, answer),
      };
      const issued = tokens.authority.login();
      await save(credentialOf(issued));
      tokens.authority.mischief.push({
        json: { access_token: "somebody-else", refresh_token: "rt-of-somebody-else-0000000" },
      });
      for (let more = 0; more < 3; more += 1) {
        await expect(session({ kind }).ensureFresh()).rejects.toEqual(code("WRONG_OWNER"));
      }
      expect(await records()).toMatchObject([{ state: "sealed", outcomeCode: "wrong-account" }]);
      expect((await session({ kind }).explain()).verdict).toBe("wrong-account");
      expect((await stored())?.refreshToken).toBe(issued.refreshToken);
      expect(tokens.authority.presented).toHaveLength(1);
      const mine = session({ kind });
      await mine.login(credentialOf(tokens.authority.login()));
      expect((await mine.ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});

describe("a successor", () => {
  it.each(bothSettings)(
    "that belongs to another account is given up, and not asked for again, %s",
    proves("oauth-store/no-wrong-owner"),
    async (_where, newSetting) => {
      const kind: CredentialKind<OAuthCredential, OAuthView> = {
        ...oauthCredential,
        validate: () => ({ outcome: "wrong-account" }),
      };
      const store = newSetting({ kind });
      await store.save(credentialOf({ accessToken: "at-0", refreshToken: "rt-short" }));
      store.authority.mischief.push({ json: { access_token: "a", refresh_token: "rt-of-somebody-else" } });
      for (let more = 0; more < 3; more += 1) {
        await expect(store.session().ensureFresh()).rejects.toEqual(code("WRONG_OWNER"));
      }
      expect((await store.session().explain()).verdict).toBe("wrong-account");
      expect((await store.session().status()).failure).toMatchObject({ code: "ERR_OAUTH_STORE_WRONG_OWNER" });
      expect(store.authority.presented).toHaveLength(1);
    },
  );
});
