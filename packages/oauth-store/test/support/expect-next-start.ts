import { writeFile } from "node:fs/promises";
import { expect } from "vitest";
import type { CredentialError, CredentialHandle, OAuthView } from "../../src/index.ts";
import { HOUR } from "./hour.ts";
import { type KillLab, othersIn } from "./kill-lab.ts";
import type { Scene } from "./kill-stage.ts";
import { plainFileOf } from "./kill-stores.ts";
import { type KillEnd, placeOf } from "./kill-work.ts";
import { virtualClock } from "./virtual-clock.ts";

/** What a start comes to: a handle, or why there is none. */
type Start = CredentialHandle<OAuthView> | CredentialError;

/** What is tried after the next start: a use when its access token has expired, or one after the file was restored. */
export type Sequel = "it expires" | "the file goes back" | "nothing";

/**
 * What is found where a process was killed when it had passed these points: a store that can be read, all else that
 * was in it, and a login that works or a diagnosis.
 */
export async function expectNextStart(
  lab: KillLab,
  scene: Scene,
  passed: readonly string[],
  sequel: Sequel,
): Promise<void> {
  const { work, store, home, prepared, others } = scene;
  const where = `${work.name}, killed at ${passed.at(-1)} after ${passed.length - 1} others`;
  const expected = work.end({ reached: (point) => placeOf(passed, point) < passed.length }, prepared);
  const clock = virtualClock(lab.nowMs);
  const next = lab.session(home, store, clock);
  const use = (): Promise<Start> => next.ensureFresh().catch((error: CredentialError) => error);
  const sends = () => lab.authority.sendsOf(prepared.token) - scene.sends;
  try {
    expect(await othersIn(home, store), where).toEqual(others);
    expectStart(await use(), expected, where);
    expect(sends(), where).toBe(expected.sends);
    const { verdict } = await next.explain();
    const said = expected.fails ? [expected.fails.verdict] : ["working", "in-progress"];
    expect(said, where).toContain(verdict);
    if (expected.fails) {
      expectStart(await use(), expected, where);
      expect(sends(), where).toBe(expected.sends);
    } else {
      const token = await lab.storedToken(home, store);
      expect(lab.authority.isLive(token), where).toBe(true);
      if (sequel === "it expires") {
        const sent = lab.authority.sendsOf(token);
        await clock.advance(2 * HOUR);
        expectStart(await use(), { sends: 1 }, `${where}, two hours later`);
        expect(lab.authority.sendsOf(token), where).toBe(sent + 1);
        expect((await next.explain()).verdict, where).toBe("working");
      }
    }
    expect(await othersIn(home, store), where).toEqual(others);
  } finally {
    await next[Symbol.asyncDispose]();
  }
  if (sequel === "the file goes back") await expectUsedOnce(lab, scene, `${where}, and the file went back`);
}

/** A refresh token that was used is not used again, whatever copy of it comes back. */
async function expectUsedOnce(lab: KillLab, scene: Scene, where: string): Promise<void> {
  const { work, store, home, prepared, before } = scene;
  if (work.unsealed || !before || !lab.authority.used.has(prepared.token)) return;
  const sent = lab.authority.sendsOf(prepared.token);
  await writeFile(plainFileOf(store, home), before);
  const session = lab.session(home, store, virtualClock(lab.nowMs + 2 * HOUR));
  await session.ensureFresh().catch(() => {}); // What it comes to depends on what is left of its successor.
  await session[Symbol.asyncDispose]();
  expect(lab.authority.sendsOf(prepared.token), where).toBe(sent);
}

function expectStart(start: Start, { fails, accessToken }: KillEnd, where: string): void {
  if (fails) {
    expect(start, where).toMatchObject({ code: fails.code });
    return;
  }
  const got = "view" in start ? start.view.accessToken : start.code;
  expect(got, where).toMatch(/^at-/);
  if (accessToken !== undefined) expect(got, where).toBe(accessToken);
}
