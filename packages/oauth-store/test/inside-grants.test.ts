import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { createCredentialNesting } from "../src/index.ts";
import { code } from "./support/code.ts";
import { bothSettings } from "./support/disk-setting.ts";
import { credentialOf, type Session } from "./support/memory-setting.ts";

const codeOf = (error: unknown) => Object(error).code;

describe.each(bothSettings)("a grant, %s,", (_where, newSetting) => {
  it("that uses its own session is told so at once", proves("oauth-store/nested-downwards"), async () => {
    const setting = newSetting();
    await setting.save(credentialOf(setting.authority.login()));
    const seen: unknown[] = [];
    const mine: Session = setting.session({
      refreshGrant: async ({ refreshToken }) => {
        await mine.ensureFresh().catch((error: unknown) => seen.push(error));
        return setting.authority.grant(refreshToken);
      },
    });
    expect((await mine.ensureFresh()).generation).toBe(1);
    expect(seen).toEqual([code("REENTERED")]);
    expect(setting.authority.presented).toHaveLength(1);
  });

  it(
    "cannot wait for its own session to settle or close: it is told so, goes on, and is saved",
    proves("oauth-store/nested-downwards"),
    async () => {
      const setting = newSetting();
      await setting.save(credentialOf(setting.authority.login()));
      const seen: unknown[] = [];
      const mine: Session = setting.session({
        refreshGrant: async ({ refreshToken }) => {
          seen.push(await mine.settle().catch(codeOf));
          seen.push(await Promise.resolve(mine[Symbol.asyncDispose]()).catch(codeOf));
          return setting.authority.grant(refreshToken);
        },
      });
      const handle = await mine.ensureFresh();
      expect(seen).toEqual(Array(2).fill("ERR_OAUTH_STORE_REENTERED"));
      expect((await setting.stored())?.accessToken).toBe(handle.view.accessToken);
      await mine.settle();
      expect((await mine.refresh()).generation).toBe(2);
    },
  );

  it(
    "leaves behind what may use its session once it is over, and not before",
    proves("oauth-store/nested-downwards"),
    async () => {
      const setting = newSetting();
      await setting.save(credentialOf(setting.authority.login()));
      const { promise: over, resolve: end } = Promise.withResolvers<void>();
      let inside: unknown;
      let later: Promise<unknown> | undefined;
      const mine: Session = setting.session({
        refreshGrant: async ({ refreshToken }) => {
          inside ??= await mine.refresh().catch((error: unknown) => error);
          later ??= over.then(() => mine.refresh());
          return setting.authority.grant(refreshToken);
        },
      });
      await mine.ensureFresh();
      end();
      expect(inside).toEqual(code("REENTERED"));
      expect(await later).toMatchObject({ generation: 2 });
    },
  );

  it(
    "that failed leaves nothing behind that could not use its session",
    proves("oauth-store/nested-downwards"),
    async () => {
      const setting = newSetting();
      await setting.save(credentialOf(setting.authority.login()));
      const { promise: over, resolve: end } = Promise.withResolvers<void>();
      let later: Promise<unknown> | undefined;
      const mine: Session = setting.session({
        refreshGrant: async () => {
          later ??= over.then(() => mine.login(credentialOf(setting.authority.login())));
          throw new Error("no");
        },
      });
      await expect(mine.ensureFresh()).rejects.toEqual(code("TRANSIENT"));
      end();
      expect(await later).toMatchObject({ generation: 0 });
    },
  );

  it(
    "leaves behind what may use any credential of its nesting once it is over, and not before",
    proves("oauth-store/nested-downwards"),
    async () => {
      const scope = createCredentialNesting();
      const below = newSetting({ nesting: { scope, level: "account" } });
      const above = newSetting({ nesting: { scope, level: "resource" } });
      for (const one of [below, above]) await one.save(credentialOf(one.authority.login()));
      const resource = above.session();
      const { promise: over, resolve: end } = Promise.withResolvers<void>();
      let inside: unknown;
      let later: Promise<unknown> | undefined;
      const account = below.session({
        refreshGrant: async ({ refreshToken }) => {
          inside = await resource.ensureFresh().catch((error: unknown) => error);
          later = over.then(() => resource.ensureFresh());
          return below.authority.grant(refreshToken);
        },
      });
      await account.ensureFresh();
      end();
      expect(inside).toEqual(code("REENTERED"));
      expect(await later).toMatchObject({ generation: 1 });
    },
  );
});
