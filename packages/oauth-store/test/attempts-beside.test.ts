import { basename } from "node:path";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { gate } from "./support/gate.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, type SessionOptions } from "./support/memory-setting.ts";
import { recordPaths } from "./support/record-paths.ts";
import { steppingClock } from "./support/stepping-clock.ts";
import { uselessLocks } from "./support/useless-locks.ts";

/** What happens between a record's header and its body. */
const between = vi.hoisted(() => ({ work: async (): Promise<void> => {} }));
vi.mock("../src/starter-view.ts", async (original) => {
  const real = await original<typeof import("../src/starter-view.ts")>();
  return {
    ...real,
    readSealed: async (...given: Parameters<typeof real.readSealed>) => {
      await between.work();
      return real.readSealed(...given);
    },
  };
});

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
  between.work = async () => {};
});
afterEach(() => setting[Symbol.asyncDispose]());

const session = (options: Partial<SessionOptions> = {}) =>
  setting.session({ locks: uselessLocks, ...options });

/** The next answer brings an access token, and leaves the refresh token as it is. */
function willKeep(accessToken: string): void {
  setting.tokens.authority.mischief.push({
    json: { access_token: accessToken, token_type: "Bearer", expires_in: 3600 },
  });
}

const attempts = async () =>
  (await recordPaths(setting.home)).map((path) => Number(basename(path).slice(33)));

/** Comes to `points` and waits there, then ends after its claim: it is given back. */
function givingUp(...points: string[]) {
  const gates = points.map((point) => gate(point));
  return {
    gates,
    faultPoint: async (name: string) => {
      for (const one of gates) await one.faultPoint(name);
      if (name === "claimed") throw new Error("nothing more here");
    },
  };
}

/** An attempt that was given back before anything was sent. */
async function giveBack(): Promise<void> {
  await expect(session(givingUp()).ensureFresh()).rejects.toThrow();
  expect(await attempts()).toEqual([1]);
}

/** Somebody who has saved what the server kept the refresh token for, and has not closed the record yet. */
async function committing(accessToken: string): Promise<{ finish(): Promise<void> }> {
  willKeep(accessToken);
  const { faultPoint, reached, open } = gate("committed");
  const done = session({ faultPoint }).ensureFresh();
  await reached;
  return {
    async finish() {
      open();
      await done;
    },
  };
}

/** Ends when an answer is sealed. */
function dying(name: string): void {
  if (name === "sealed") throw new Error("the process has ended");
}

// Where the server keeps a refresh token its records go, and the numbers of its attempts begin anew.
describe(createCredentialSession, () => {
  it(
    "does not send beside a lower attempt that was begun after it had judged",
    proves("oauth-store/claim-without-lock", "oauth-store/not-rotating"),
    async () => {
      const { tokens, save, path } = setting;
      await save(credentialOf(tokens.authority.login()));
      const restore = await backUp(path);
      await giveBack();
      const rehearsed = gate("rehearsed");
      let judged = 0;
      const late = session({
        faultPoint: async (name) => {
          if (name === "judged") judged += 1;
          await rehearsed.faultPoint(name);
        },
      }).ensureFresh();
      await rehearsed.reached;
      willKeep("at-first");
      await session().ensureFresh();
      await restore();
      willKeep("at-second");
      const answers = tokens.keepAnswers();
      const sending = session().ensureFresh();
      await tokens.server.waitFor(2);
      expect(await attempts()).toEqual([1]);

      rehearsed.open();
      await expect.poll(() => judged > 1 || tokens.authority.presented.length > 2).toBe(true);
      expect(tokens.authority.presented).toHaveLength(2);
      answers.release();
      expect((await sending).view.accessToken).toBe("at-second");
      expect((await late).view.accessToken).toBe("at-second");
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );

  it(
    "leaves the claim of somebody whose lease has not ended, though another has claimed above it",
    proves("oauth-store/claim-without-lock", "oauth-store/not-rotating"),
    async () => {
      const { tokens, save } = setting;
      await save(credentialOf(tokens.authority.login()));
      const first = await committing("at-first");
      willKeep("at-second");
      const answers = tokens.keepAnswers();
      const sending = session().refresh();
      await tokens.server.waitFor(2);
      const ahead = steppingClock();
      ahead.jump(61_000);
      const hasty = givingUp("claimed");
      const [claimed] = hasty.gates;
      const end = expect(session({ ...hasty, clock: ahead }).refresh()).rejects.toThrow();
      await claimed?.reached;

      await first.finish();
      expect(await attempts()).toEqual([1, 2]);
      claimed?.open();
      await end;
      answers.release();
      expect((await sending).view.accessToken).toBe("at-second");
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );

  it(
    "leaves an answer that was sealed by somebody who died, though another has claimed above it",
    proves("oauth-store/claim-without-lock", "oauth-store/crash-loses-nothing"),
    async () => {
      const { tokens, save } = setting;
      await save(credentialOf(tokens.authority.login()));
      await giveBack();
      const hasty = givingUp("rehearsed", "claimed");
      const [rehearsed, claimed] = hasty.gates;
      const end = expect(session(hasty).ensureFresh()).rejects.toThrow();
      await rehearsed?.reached;
      const first = await committing("at-first");
      willKeep("at-second");
      await expect(session({ faultPoint: dying }).refresh()).rejects.toThrow();
      expect(await attempts()).toEqual([1]);
      rehearsed?.open();
      await claimed?.reached;

      await first.finish();
      expect(await attempts()).toEqual([1, 2]);
      claimed?.open();
      await end;
      expect((await session().refresh()).view.accessToken).toBe("at-second");
      expect(tokens.authority.presented).toHaveLength(2);
    },
  );

  it(
    "takes an answer that another has finished between its header and its body for no attempt that came to nothing",
    proves("oauth-store/next-starter", "oauth-store/not-rotating"),
    async () => {
      const { tokens, save } = setting;
      await save(credentialOf(tokens.authority.login()));
      willKeep("at-first");
      await expect(session({ faultPoint: dying }).ensureFresh()).rejects.toThrow();
      between.work = async () => {
        between.work = async () => {};
        await session().ensureFresh();
      };
      expect((await session().ensureFresh()).view.accessToken).toBe("at-first");
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
