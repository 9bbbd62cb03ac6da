import { createAffinityJar } from "@hawser/cf-affinity-jar";
import { CookieJar } from "tough-cookie";
import type { BenchRow } from "./bench-row.ts";
import { median } from "./median.ts";

const ROUNDS = 15;
const WARM_UP_ROUNDS = 3;
const GOAL_NOT_ALLOWED_NS = 50;
const GOAL_GET_AND_SET_NS = 6_000;

const allowed = new URL("https://chatgpt.com/backend-api/ps/mcp");
const foreign = new URL("https://mcp.example.com/backend-api/ps/mcp");
const line =
  "__cflb=0H28vXqVQ3z; Path=/; Secure; HttpOnly; SameSite=None; Expires=Thu, 31 Dec 2099 23:59:59 GMT";

interface Subject {
  /** Repetitions of one sample. */
  readonly count: number;
  readonly once: () => unknown;
}

/** CPU time of single calls, all of them in turn in every round. No network: the jar has none. */
export async function run(): Promise<readonly BenchRow[]> {
  const jar = createAffinityJar();
  const bare = new CookieJar();
  jar.store(allowed, [line]);
  const subjects = {
    notAllowed: { count: 1_000_000, once: () => jar.allows(foreign) },
    getAndSet: { count: 20_000, once: () => [jar.cookieHeader(allowed), jar.store(allowed, [line])] },
    bareGetAndSet: {
      count: 20_000,
      once: () => [bare.getCookieStringSync(allowed.href), bare.setCookieSync(line, allowed.href)],
    },
  } satisfies Record<string, Subject>;

  const samples = { notAllowed: [], getAndSet: [], bareGetAndSet: [] } as Record<
    keyof typeof subjects,
    number[]
  >;
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    for (const name of ["notAllowed", "getAndSet", "bareGetAndSet"] as const) {
      const costNs = costOf(subjects[name]);
      if (round >= 0) samples[name].push(costNs);
    }
  }
  const notAllowedNs = median(samples.notAllowed);
  const getAndSetNs = median(samples.getAndSet);
  const bareNs = median(samples.bareGetAndSet);
  return [
    {
      path: "affinity",
      what: "our CPU time for a host that is not allowed",
      ratio: `${notAllowedNs.toFixed(0)} ns`,
      goal: `< ${GOAL_NOT_ALLOWED_NS} ns`,
      met: notAllowedNs < GOAL_NOT_ALLOWED_NS,
    },
    {
      path: "affinity",
      what: `our CPU time to get and set for one that is (a bare tough-cookie jar: ${(bareNs / 1000).toFixed(2)} us)`,
      ratio: `${(getAndSetNs / 1000).toFixed(2)} us`,
      goal: `< ${GOAL_GET_AND_SET_NS / 1000} us`,
      met: getAndSetNs < GOAL_GET_AND_SET_NS,
    },
  ];
}

/** What is computed must not look unused. */
let sink: unknown;

function costOf({ count, once }: Subject): number {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index += 1) sink = once();
  const { user, system } = process.cpuUsage(before);
  if (sink === undefined) throw new Error("nothing was computed");
  return ((user + system) * 1000) / count;
}

if (import.meta.main) console.table(await run());
