import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialNesting, oauthCredential, storeKey } from "../src/index.ts";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf, SERVER, type Session } from "./support/memory-setting.ts";

describe.each(bothSettings)("nested grants, %s", (_where, newSetting) => {
  it(
    "lets a grant wait for a credential below its own, and refuses one of its own level or above at once",
    proves("oauth-store/nested-downwards"),
    async () => {
      const scope = createCredentialNesting();
      const below = newSetting({ nesting: { scope, level: "account" } });
      const above = newSetting({ nesting: { scope, level: "resource" } });
      const beside = newSetting({ nesting: { scope, level: "identity-provider" } });
      for (const one of [below, above, beside]) await one.save(credentialOf(one.authority.login()));
      const seen: unknown[] = [];
      const account = below.session({
        refreshGrant: async ({ refreshToken }) => {
          await provider.ensureFresh().catch((error: unknown) => seen.push(error));
          return below.authority.grant(refreshToken);
        },
      });
      const provider: Session = beside.session({
        refreshGrant: async ({ refreshToken }) => {
          await account.ensureFresh();
          await resource.ensureFresh().catch((error: unknown) => seen.push(error));
          await beside
            .session()
            .ensureFresh()
            .catch((error: unknown) => seen.push(error));
          return beside.authority.grant(refreshToken);
        },
      });
      const resource: Session = above.session({
        refreshGrant: async ({ refreshToken }) => {
          await provider.ensureFresh();
          return above.authority.grant(refreshToken);
        },
      });
      expect((await resource.ensureFresh()).generation).toBe(1);
      expect(seen).toEqual([code("REENTERED"), code("REENTERED"), code("REENTERED")]);
      for (const one of [below, above, beside]) expect(one.authority.presented).toHaveLength(1);
      expect((await account.ensureFresh()).generation).toBe(1);
    },
  );
});

// On real files under real locks, each step in turn.
describe("a grant", () => {
  let setting: HomeSetting;
  beforeEach(async () => {
    setting = await homeSetting();
  });
  afterEach(() => setting[Symbol.asyncDispose]());

  it(
    "that waits for a credential below its own is well; one above its own is refused at once",
    proves("oauth-store/nested-downwards"),
    async () => {
      const { tokens, save, session, store } = setting;
      await save(credentialOf(tokens.authority.login()));
      const below = storeKey("below", SERVER.serverUrl);
      const account = oauthCredential.serialize(credentialOf(tokens.authority.login()));
      await store.update(below, () => ({ write: account }));
      const scope = createCredentialNesting();
      const grant = loopbackGrant(tokens.url);
      const seen: unknown[] = [];
      const refused = (error: unknown) => void seen.push(error);
      const lower: Session = session({
        key: below,
        nesting: { scope, level: "account" },
        refreshGrant: async (input) => {
          await upper.ensureFresh().catch(refused);
          return grant(input);
        },
      });
      const upper: Session = session({
        nesting: { scope, level: "resource" },
        refreshGrant: async (input) => {
          await lower.ensureFresh();
          return grant(input);
        },
      });
      expect((await upper.ensureFresh()).generation).toBe(1);
      expect(seen).toEqual([code("REENTERED")]);
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );
});
