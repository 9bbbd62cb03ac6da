import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type AnswerVerdict,
  type CredentialKind,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
} from "../src/index.ts";
import { gate } from "./support/gate.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { uselessLocks } from "./support/useless-locks.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

describe("what a kept answer turns out to be worth", () => {
  it.each<[string, AnswerVerdict]>([
    ["a successor that cannot be used", { outcome: "unusable", code: "odd" }],
    ["somebody else's", { outcome: "wrong-account" }],
  ])(
    "%s, is said only when nobody has logged in meanwhile",
    proves("oauth-store/last-look"),
    async (_what, verdict) => {
      const { tokens, save, session, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      await session().ensureFresh();
      await restore();
      const kind: CredentialKind<OAuthCredential, OAuthView> = {
        ...oauthCredential,
        validate: () => verdict,
      };
      const judged = gate("judged");
      const waiting = session({ kind, locks: uselessLocks, faultPoint: judged.faultPoint }).refresh();
      await judged.reached;
      const login = credentialOf(tokens.authority.login(), 3_600_000);
      const handle = await session({ locks: uselessLocks }).login(login);
      judged.open();
      expect((await waiting).lineage).toBe(handle.lineage);
      expect(setting.events.filter(({ type }) => type === "refused")).toEqual([]);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
