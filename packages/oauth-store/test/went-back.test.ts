import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { code } from "./support/code.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { recordStates } from "./support/record-states.ts";
import { steppingClock } from "./support/stepping-clock.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const states = () => recordStates(setting);

/** Ends the work of a session where it stands, as often as it comes there: the process is as good as gone. */
function dying(at: string): (name: string) => void {
  return (name) => {
    if (name === at) throw new Error("the process has ended");
  };
}

/** A process that is killed there. */
async function killedAt(point: string): Promise<void> {
  const child = spawnChild({
    script: new URL("./children/session-child.ts", import.meta.url),
    arm: [point],
  });
  try {
    child.send({ home: setting.home.path, key: KEY, tokenUrl: setting.tokens.url, callers: 1 });
    await child.receive();
    child.send("go");
    await child.reached(point);
  } finally {
    await child.kill();
  }
}

describe(createCredentialSession, () => {
  describe("a store that went back", () => {
    it(
      "is written again by a session that holds the newer generation",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, stored, session, path, events } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const mine = session();
        const b = await mine.ensureFresh();
        const c = await mine.recover(b);
        await restore();
        const d = await mine.refresh();
        expect(tokens.authority.presented).toHaveLength(3);
        expect(tokens.authority.revokedFamilies.size).toBe(0);
        expect([b.generation, c.generation, d.generation]).toEqual([1, 2, 3]);
        expect(events).toContainEqual(expect.objectContaining({ type: "restored", generation: 2 }));
        expect((await stored())?.accessToken).toBe(d.view.accessToken);
      },
    );

    it(
      "is brought forward from the sealed answer by a session that holds nothing",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const b = await session().ensureFresh();
        await restore();
        const again = await session().ensureFresh();
        expect(again.view.accessToken).toBe(b.view.accessToken);
        expect(again.generation).toBe(b.generation);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );

    it(
      "too far for any sealed answer is called superseded, and nothing is sent",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const first = session();
        await first.recover(await first.ensureFresh());
        await restore();
        const next = session();
        await expect(next.ensureFresh()).rejects.toEqual(code("SUPERSEDED"));
        expect((await next.explain()).verdict).toBe("superseded");
        expect(tokens.authority.presented).toHaveLength(2);
      },
    );

    it(
      "past a logout that found an answer half sealed: nothing is sent",
      proves("oauth-store/logout-wins"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        await killedAt("seal/body-written");
        expect(await states()).toEqual(["claimed"]);
        expect(await session().logout()).toEqual({ removed: true, failures: [] });
        await restore();
        await expect(session().ensureFresh()).rejects.toEqual(code("SUPERSEDED"));
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );

    it.each(["sealed", "claimed"])(
      "past a record that was left %s and lost its body later: nothing is sent",
      proves("oauth-store/store-went-back"),
      async (left) => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        // Saved, and nobody came to say so in the record.
        if (left === "claimed") await killedAt("seal/body-written");
        await expect(session({ faultPoint: dying("committed") }).ensureFresh()).rejects.toThrow();
        expect(await states()).toEqual([left]);
        const second = session();
        const b = await second.ensureFresh();
        const c = await second.recover(b);
        expect(c.generation).toBe(2);
        expect(await states()).toEqual(["settled", "settled"]);

        await restore();
        const clock = steppingClock();
        clock.advance(3_600_000);
        await expect(session({ clock }).ensureFresh()).rejects.toEqual(code("SUPERSEDED"));
        expect(tokens.authority.presented).toHaveLength(2);
        expect(tokens.authority.revokedFamilies.size).toBe(0);
        expect((await second.refresh()).generation).toBe(3);
      },
    );

    it(
      "while a later generation was on its way into it: every sealed answer stays, and all are found",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const b = await session().ensureFresh();
        let wentBack = false;
        const second = session({
          faultPoint: async (name) => {
            if (name === "locked" && wentBack) throw new Error("the process has ended");
            if (name !== "sealed") return;
            wentBack = true;
            await restore();
          },
        });
        await expect(second.recover(b)).rejects.toThrow();
        expect(tokens.authority.presented).toHaveLength(2);

        const third = session();
        const again = await third.ensureFresh();
        expect(again.view.accessToken).toBe(b.view.accessToken);
        expect((await third.recover(again)).generation).toBe(2);
        expect(tokens.authority.presented).toHaveLength(2);
      },
    );

    it(
      "to a record that still says sealed: a process that is two generations on stays there",
      proves("oauth-store/store-went-back"),
      async () => {
        const { tokens, save, stored, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        await expect(session({ faultPoint: dying("committed") }).ensureFresh()).rejects.toThrow();
        // It is saved, and does not come to tidying up.
        const second = session({ faultPoint: dying("settled") });
        const b = await second.ensureFresh();
        const c = await second.refresh();
        expect([b.generation, c.generation]).toEqual([1, 2]);
        expect(await states()).toEqual(["sealed", "settled"]);

        await restore();
        const d = await second.refresh();
        expect(d.generation).toBe(3);
        expect((await stored())?.accessToken).toBe(d.view.accessToken);
        expect(tokens.authority.presented).toHaveLength(3);
        expect(tokens.authority.revokedFamilies.size).toBe(0);
      },
    );

    it(
      "and is written by somebody else before the newer generation can be: theirs stays",
      proves("oauth-store/store-went-back", "oauth-store/login-wins"),
      async () => {
        const { tokens, save, stored, session, path } = setting;
        await save(credentialOf(tokens.authority.login()));
        const restore = await backUp(path);
        const theirs = tokens.authority.login();
        await save(credentialOf(theirs, 3_600_000));
        const theirLogin = await backUp(path);
        await restore();
        let judged = 0;
        const mine = session({
          faultPoint: async (name) => {
            if (name === "judged" && ++judged === 2) await theirLogin();
          },
        });
        await mine.ensureFresh();
        await restore();
        expect((await mine.refresh()).view.accessToken).toBe(theirs.accessToken);
        expect((await stored())?.accessToken).toBe(theirs.accessToken);
        expect(tokens.authority.presented).toHaveLength(1);
      },
    );
  });
});
