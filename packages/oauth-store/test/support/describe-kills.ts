import { figure, proves } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectNextStart, type Sequel } from "./expect-next-start.ts";
import { histogram } from "./histogram.ts";
import { KILL_LOGINS } from "./kill-logins.ts";
import { KILL_REFRESHES } from "./kill-refreshes.ts";
import { type KillStage, killStage } from "./kill-stage.ts";
import type { KillStore } from "./kill-stores.ts";
import { type KillWork, placeOf } from "./kill-work.ts";
import { adjacentSteps, pointsOf, type Step } from "./steps.ts";

const LONG = process.env["HAWSER_TEST_LONG"] === "1";
const KILLS = LONG ? 100 : 1;
const RARE_KILLS = LONG ? 10 : 1;
const HOW_MANY = LONG ? `each of them, ${KILLS} times` : "some of them";
/** One of so many is enough where all would take too long. */
const SAMPLE = 6;
/** Homes in one process. */
const MOST_AT_ONCE = 240;

interface Moment {
  readonly work: KillWork;
  /** The points that are passed by then, the last being where it is killed. */
  readonly passed: readonly string[];
}

/** Kills processes at the points of everything they do with a credential in such a store. */
export function describeKills(store: KillStore): void {
  const works = [...KILL_REFRESHES, ...KILL_LOGINS].filter(({ stores = ["aggregate file", "single file"] }) =>
    stores.includes(store),
  );

  describe(store, () => {
    let stage: KillStage;
    let steps: (readonly Step[])[];
    beforeAll(async () => {
      stage = await killStage(store);
      steps = await stage.rehearse(works);
    });
    afterAll(() => stage[Symbol.asyncDispose]());

    it(
      "has a point between every two steps of whatever is done with a credential",
      proves("oauth-store/killed-between-steps"),
      () => {
        for (const [n, all] of steps.entries()) {
          expect(adjacentSteps(all), works[n]?.name).toEqual([]);
          for (const is of ["change", "sync"]) expect(all.map((step) => step.is)).toContain(is);
        }
      },
    );

    it(`killed at ${HOW_MANY}: the next start works, or says what happened`, {
      ...proves(
        "oauth-store/crash-loses-nothing",
        "oauth-store/crash-in-login-and-logout",
        "oauth-store/interrupted-is-named",
      ),
      timeout: LONG ? 3_600_000 : 120_000,
    }, async () => {
      const moments = works.flatMap((work, n) => momentsOf(work, pointsOf(steps[n] ?? [])));
      const often = new Set(moments.filter(({ work }) => work.often).map(pointOf));
      const kills: string[] = [];
      for (let round = 0; round < KILLS; round += 1) {
        const failures: string[] = [];
        const all = LONG
          ? moments.filter((moment) => round < killsOf(store, moment, often))
          : sample(moments);
        for (let done = 0; done < all.length; done += MOST_AT_ONCE) {
          const some = all.slice(done, done + MOST_AT_ONCE);
          const scenes = await stage.scenes(some.map(({ work }) => work));
          const stood = await stage.kill(scenes, some.map(nthPointOf));
          expect(stood).toEqual(some.map(pointOf));
          const looks = scenes.map((scene, n) =>
            expectNextStart(stage.lab, scene, some[n]?.passed ?? [], sequelOf(round)),
          );
          for (const end of await Promise.allSettled(looks)) {
            if (end.status === "rejected") failures.push(String(end.reason));
          }
          kills.push(...stood);
          if (LONG) await stage.clear(scenes);
        }
        expect(failures, `round ${round}`).toEqual([]);
      }
      figure(`killed at points, ${store}`, histogram(kills));
    });

    function sample(moments: readonly Moment[]): Moment[] {
      const isWhole = ({ work }: Moment) => work.often && store === "aggregate file";
      const others = moments.filter((moment) => !isWhole(moment));
      const first = Math.floor(Math.random() * SAMPLE);
      return [...moments.filter(isWhole), ...others.filter((_, at) => at % SAMPLE === first)];
    }
  });
}

/** All the points at which a work differs from the others. */
function momentsOf(work: KillWork, points: readonly string[]): Moment[] {
  const from = work.from === undefined ? 0 : placeOf(points, work.from);
  const to = work.to === undefined ? points.length - 1 : placeOf(points, work.to);
  const moments = points.map((_, at) => ({ work, passed: points.slice(0, at + 1) })).slice(from, to + 1);
  expect(moments.length, work.name).toBeGreaterThan(0);
  return moments;
}

function sequelOf(round: number): Sequel {
  if (round >= RARE_KILLS) return "nothing";
  const nth = LONG ? round : Math.floor(Math.random() * 2);
  return nth % 2 === 0 ? "it expires" : "the file goes back";
}

/**
 * What is no step of the store is the same in every store. `often`: the points that works come to which are killed
 * often; where only others come to a point, they are killed there as often.
 */
function killsOf(store: KillStore, moment: Moment, often: ReadonlySet<string>): number {
  const point = pointOf(moment);
  const isOfStore = /^(?:rehearsal|store|file|leftover)\//.test(point);
  const isOften = moment.work.often || !often.has(point);
  return isOften && (store === "aggregate file" || isOfStore) ? KILLS : RARE_KILLS;
}

/** Where it is killed. */
function pointOf({ passed }: Moment): string {
  return passed.at(-1) ?? "";
}

/**
 * The same among those of its name. How many points come before it can differ: records are gone through in the order
 * in which the directory names them, and not all have the same done to them.
 */
function nthPointOf(moment: Moment): string {
  const point = pointOf(moment);
  return `${point}#${moment.passed.filter((name) => name === point).length}`;
}
