import { readFile, writeFile } from "node:fs/promises";
import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCredentialSession } from "../src/index.ts";
import { decodeHeader, encodeHeader, HEADER_BYTES } from "../src/record-codec.ts";
import type { FrozenSetup } from "./children/frozen-child.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { recordPaths } from "./support/record-paths.ts";
import { virtualClock } from "./support/virtual-clock.ts";

/** Events are waited for as long as it takes. */
const PATIENT = { timeout: 30_000 };
const FROZEN = new URL("./children/frozen-child.ts", import.meta.url);

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

async function isStopped(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/stat`, "latin1")).includes(") T ");
}

/** A process that was killed with its claim written and nothing sent. */
async function killedWithClaim(): Promise<void> {
  const victim = setting.another({ arm: ["checked"] });
  void victim.ensureFresh();
  await victim.child.reached("checked");
  await victim.child.kill();
}

describe(createCredentialSession, () => {
  it.skipIf(process.platform !== "linux")(
    "takes the answer that came while the process was stopped, though its time to answer is over by then",
    proves("oauth-store/frozen-process"),
    async () => {
      const { tokens, save, home, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const kept = tokens.keepAnswers();
      const child = spawnChild({ script: FROZEN });
      try {
        child.send({ home: home.path, key: KEY, tokenUrl: tokens.url } satisfies FrozenSetup);
        await tokens.server.waitFor(1);
        child.send("freeze");
        await expect.poll(() => isStopped(child.pid), PATIENT).toBe(true);
        kept.release();
        // The server closes what it has answered: the whole answer is in the process's socket.
        await expect.poll(() => tokens.server.openConnections, PATIENT).toBe(0);
        child.process.kill("SIGCONT");
        expect(await child.receive()).toEqual({ generation: 1 });
      } finally {
        await child.kill();
      }
      expect((await session().ensureFresh()).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );

  it.each([
    [
      "under another kernel counts as living until its lease ends",
      { host: "another-host", boot: "another" },
      "waits",
    ],
    ["before this machine was started anew is dead", { boot: "another" }, "sends"],
    ["in a container of this machine is dead", { host: "another-container" }, "sends"],
  ])(
    "a claim whose lock is free and that was made %s",
    proves("oauth-store/claim-without-lock"),
    async (_, owner, then) => {
      const { tokens, save, session, home } = setting;
      await save(credentialOf(tokens.authority.login()));
      await killedWithClaim();
      await signClaim(await recordPaths(home), owner);

      const clock = virtualClock();
      const { signal } = new AbortController();
      const asked = session({ clock }).ensureFresh({ signal });
      if (then === "waits") {
        await expect.poll(() => clock.timers(), PATIENT).toBe(1);
        expect(tokens.authority.presented).toEqual([]);
        clock.jump(60_000);
        await clock.advance(100);
      }
      expect((await asked).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});

/** Writes other names into the one record, as whoever claimed it there would have. */
async function signClaim(
  [path = ""]: readonly string[],
  owner: { host?: string; boot?: string },
): Promise<void> {
  const bytes = await readFile(path);
  const header = decodeHeader(bytes);
  if (header === undefined || header === "newer") throw new Error("there is no claim");
  expect(header.state).toBe("claimed");
  const signed = encodeHeader({ ...header, owner: { ...header.owner, ...owner } });
  await writeFile(path, Buffer.concat([signed, bytes.subarray(HEADER_BYTES)]));
}
