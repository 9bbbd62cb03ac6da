import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession, readSpendRecords } from "../src/index.ts";
import { backUp, type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { steppingClock } from "./support/stepping-clock.ts";

const code = (name: string) => expect.objectContaining({ code: `ERR_OAUTH_STORE_${name}` });

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const states = async () =>
  [...(await readSpendRecords({ home: setting.home.path, key: KEY }))]
    .sort((a, b) => a.generation - b.generation)
    .map((one) => one.state);

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
  });
});
