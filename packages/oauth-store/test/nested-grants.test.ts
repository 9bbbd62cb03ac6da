import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { createCredentialNesting } from "../src/index.ts";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { credentialOf, type Session } from "./support/memory-setting.ts";

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
