import { pbkdf2 } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { loopbackGrant } from "./support/loopback-grant.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { recordPaths } from "./support/record-paths.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const recordFiles = () => recordPaths(setting.home);

describe(createCredentialSession, () => {
  it(
    "writes the answer into its record before anything else in the process has a turn",
    proves("oauth-store/answer-at-once"),
    async () => {
      const { tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const grant = loopbackGrant(tokens.url);
      let atNextTurn: Promise<boolean[]> | undefined;
      const mine = session({
        refreshGrant: async (input) => {
          const answer = await grant(input);
          const files = await recordFiles();
          const { promise, resolve } = Promise.withResolvers<boolean[]>();
          atNextTurn = promise;
          // Whatever were left to another thread would wait for these.
          for (let busy = 0; busy < 8; busy += 1) pbkdf2("word", "salt", 100_000, 64, "sha512", () => {});
          setImmediate(() => resolve(files.map((file) => readFileSync(file).subarray(4096).some(Boolean))));
          return answer;
        },
      });
      await mine.ensureFresh();
      expect(await atNextTurn).toEqual([true]);
    },
  );

  describe("a record", () => {
    it(
      "with an unreadable header is finished from its body",
      proves("oauth-store/record-damage"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const b = await session().ensureFresh();
        await restore();
        const [record = ""] = await recordFiles();
        const bytes = await readFile(record);
        bytes.fill(0x20, 0, 200);
        await writeFile(record, bytes);
        expect((await session().ensureFresh()).view.accessToken).toBe(b.view.accessToken);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );

    it(
      "with nothing readable in it counts as a claim of the dead",
      proves("oauth-store/record-damage"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        await session().ensureFresh();
        await restore();
        const [record = ""] = await recordFiles();
        await truncate(record, 100);
        await expect(session().ensureFresh()).rejects.toEqual(code("INTERRUPTED"));
        expect(tokens.authority.presented).toHaveLength(2);
      },
    );

    it(
      "is 64 KiB, 0600, in a directory of 0700, and only the latest body stays",
      proves("oauth-store/record-shape"),
      async () => {
        const { tokens, save, session } = setting;
        await save(credentialOf(tokens.authority.login()));
        const mine = session();
        await mine.ensureFresh();
        for (let more = 0; more < 20; more += 1) await mine.refresh();
        const files = await recordFiles();
        expect(files).toHaveLength(16);
        let bodies = 0;
        for (const file of files) {
          expect(statSync(file).size).toBe(65536);
          expect(statSync(file).mode & 0o777).toBe(0o600);
          if ((await readFile(file)).subarray(4096).some((byte) => byte !== 0)) bodies += 1;
        }
        expect(bodies).toBe(1);
        expect(statSync(dirname(files[0] ?? "")).mode & 0o777).toBe(0o700);
      },
    );

    it(
      "keeps no body after a logout, and its token is never sent again",
      proves("oauth-store/logout-wins"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const mine = session();
        await mine.ensureFresh();
        expect(await mine.logout()).toEqual({ removed: true, failures: [] });
        for (const file of await recordFiles()) {
          expect((await readFile(file)).subarray(4096).every((byte) => byte === 0)).toBe(true);
        }
        await restore();
        await expect(session().ensureFresh()).rejects.toEqual(code("SUPERSEDED"));
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );
  });
});
