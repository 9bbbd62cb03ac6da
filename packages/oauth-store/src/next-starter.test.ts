import { describe, expect, it } from "vitest";
import { nextStarter, type StarterStep, type StarterView } from "./next-starter.ts";
import type { SpendHeader } from "./spend-header.ts";

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;

const header = (over: Partial<SpendHeader> = {}): SpendHeader => ({
  version: 1,
  fingerprint: "f".repeat(32),
  state: "claimed",
  attempt: 1,
  reason: "expiry",
  claimedAtMs: NOW - 1000,
  leaseUntilMs: NOW - 1000 + MINUTE,
  failures: 0,
  uncertain: false,
  lineage: "l",
  generation: 3,
  snapshotHash: "s",
  clientHash: "c",
  owner: { host: "h", boot: "b", pid: 1 },
  ...over,
});

const view = (over: Partial<SpendHeader> | undefined, rest: Partial<StarterView> = {}): StarterView => ({
  record: over && { attempt: over.attempt ?? 1, header: header(over), writtenAtMs: NOW - 1000 },
  owner: "dead",
  bodyOpens: false,
  snapshotHash: "s",
  clientHash: "c",
  nowMs: NOW,
  ...rest,
});

const claim = (attempt: number, failures: number, uncertain: boolean): StarterStep => ({
  do: "claim",
  attempt,
  failures,
  uncertain,
});
const unreadable = { attempt: 1, header: undefined, writtenAtMs: NOW - 1000 };

describe(nextStarter, () => {
  it.each<[string, StarterView, StarterStep]>([
    ["no record: the first attempt", view(undefined), claim(1, 0, false)],
    [
      "attempts that were given back only: the number after theirs",
      { ...view(undefined), lastAttempt: 2 },
      claim(3, 0, false),
    ],
    [
      "claimed, its owner dead, and a later attempt given back: the second attempt at once, as the third",
      { ...view({}), lastAttempt: 2 },
      claim(3, 1, true),
    ],
    ["claimed, its owner lives: waits", view({}, { owner: "alive" }), { do: "wait" }],
    ["claimed, unproven, inside the lease: waits", view({}, { owner: "unproven" }), { do: "wait" }],
    [
      "claimed, unproven, lease over: the second attempt",
      view({ leaseUntilMs: NOW }, { owner: "unproven" }),
      claim(2, 1, true),
    ],
    ["claimed, its owner dead: the second attempt at once", view({}), claim(2, 1, true)],
    [
      "claimed, its owner dead, the body opens: finishes",
      view({}, { bodyOpens: true }),
      { do: "finish", restore: false },
    ],
    [
      "claimed, its owner alive, the body opens: waits",
      view({}, { owner: "alive", bodyOpens: true }),
      { do: "wait" },
    ],
    [
      "claimed a second time, its owner dead: as unknown, waits",
      view({ attempt: 2, failures: 1, claimedAtMs: NOW }),
      { do: "defer", nextAtMs: NOW + 4000, code: "interrupted", clamp: false },
    ],
    [
      "claimed a second time, long ago: the third attempt",
      view({ attempt: 2, failures: 1, claimedAtMs: NOW - 5000 }),
      claim(3, 2, true),
    ],
    [
      "unreadable, the body opens: finishes",
      view(undefined, { record: unreadable, bodyOpens: true }),
      { do: "finish", restore: false },
    ],
    [
      "unreadable, its owner lives: waits",
      view(undefined, { record: unreadable, owner: "alive" }),
      { do: "wait" },
    ],
    [
      "unreadable, unproven, written just now: waits",
      view(undefined, { record: unreadable, owner: "unproven" }),
      { do: "wait" },
    ],
    ["unreadable, its owner dead: as claimed", view(undefined, { record: unreadable }), claim(2, 1, true)],
    [
      "unknown, before its time: defers",
      view({ state: "unknown", failures: 1, nextAtMs: NOW + 5, outcomeCode: "reset" }),
      { do: "defer", nextAtMs: NOW + 5, code: "reset", clamp: false },
    ],
    [
      "unknown, due: the next attempt, in doubt",
      view({ state: "unknown", failures: 1, nextAtMs: NOW }),
      claim(2, 1, true),
    ],
    [
      "deferred, due: the next attempt, without doubt",
      view({ state: "deferred", failures: 1, nextAtMs: NOW }),
      claim(2, 1, false),
    ],
    [
      "deferred after a doubtful attempt: the doubt stays",
      view({ state: "deferred", attempt: 2, failures: 2, nextAtMs: NOW, uncertain: true }),
      claim(3, 2, true),
    ],
    [
      "a next time a day ahead counts as the cap",
      view({ state: "unknown", nextAtMs: NOW + 86_400_000, outcomeCode: "x" }),
      { do: "defer", nextAtMs: NOW + 15 * MINUTE, code: "x", clamp: true },
    ],
    [
      "a next time before the claim counts as now",
      view({ state: "unknown", claimedAtMs: NOW + 86_400_000, nextAtMs: NOW + 1000, failures: 1 }),
      claim(2, 1, true),
    ],
    ["sealed: finishes", view({ state: "sealed" }, { bodyOpens: true }), { do: "finish", restore: false }],
    [
      "sealed and unreadable: as unknown",
      view({ state: "sealed", claimedAtMs: NOW - MINUTE }),
      claim(2, 1, true),
    ],
    ["held by a living process: nothing", view({ state: "held" }, { owner: "alive" }), { do: "held" }],
    ["held by a dead one: as claimed", view({ state: "held" }), claim(2, 1, true)],
    [
      "settled with a body: restores",
      view({ state: "settled" }, { bodyOpens: true }),
      { do: "finish", restore: true },
    ],
    ["settled without a body: superseded", view({ state: "settled" }), { do: "superseded" }],
    [
      "refused, same snapshot and client: the same refusal",
      view({ state: "refused", outcomeCode: "invalid_grant" }),
      { do: "refuse", code: "invalid_grant", interrupted: false },
    ],
    [
      "refused after a doubtful attempt: an interrupted refresh",
      view({ state: "refused", attempt: 2, outcomeCode: "invalid_grant", uncertain: true }),
      { do: "refuse", code: "invalid_grant", interrupted: true },
    ],
    [
      "refused, another snapshot: the next attempt",
      view({ state: "refused", outcomeCode: "invalid_grant" }, { snapshotHash: "other" }),
      claim(2, 0, false),
    ],
    [
      "an unknown client stays refused whatever else changes",
      view({ state: "refused", outcomeCode: "invalid_client" }, { snapshotHash: "other" }),
      { do: "refuse", code: "invalid_client", interrupted: false },
    ],
    [
      "another client: the next attempt",
      view({ state: "refused", outcomeCode: "invalid_client" }, { clientHash: "other" }),
      claim(2, 0, false),
    ],
  ])("%s", (_name, seen, step) => expect(nextStarter(seen)).toEqual(step));
});
