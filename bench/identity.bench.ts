import {
  createIdentityScope,
  identityHeaders,
  parseClientInfo,
  processIdentity,
  withIdentityHeaders,
} from "@hawser/client-identity";
import type { HttpRequest, HttpResponse, HttpTransport } from "@hawser/transport";
import type { BenchRow } from "./bench-row.ts";
import { median } from "./median.ts";

const ROUNDS = 15;
const WARM_UP_ROUNDS = 3;
const GOAL_LOOKUP_NS = 50;
/** Next to nothing beside the microseconds that a request costs. */
const GOAL_ADDED_NS = 1_000;
const LOOKUPS = 1_000_000;
const SENDS = 100_000;

/** CPU time of single calls, all of them in turn in every round. No network. */
export async function run(): Promise<readonly BenchRow[]> {
  const scope = createIdentityScope(processIdentity({ name: "bench", version: "1.0.0" }));
  const client = parseClientInfo({ name: "bench_client", version: "1.2.3" }, { process: scope.process });
  const bare = sink();
  const wrapped = withIdentityHeaders(scope)(bare);
  const request: HttpRequest = {
    method: "POST",
    url: new URL("https://upstream.example/"),
    headers: [
      ["accept", "application/json"],
      ["content-type", "application/json"],
    ],
  };

  const samples = {
    inside: [] as number[],
    outside: [] as number[],
    headers: [] as number[],
    added: [] as number[],
  };
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    const inside = await scope.run(client, async () => {
      // As far down an asynchronous call as a request usually is.
      await null;
      return perCallNs(LOOKUPS, () => scope.current());
    });
    const outside = perCallNs(LOOKUPS, () => scope.current());
    const headers = perCallNs(LOOKUPS, () => identityHeaders(client));
    const bareSend = perCallNs(SENDS, () => bare.send(request));
    const wrappedSend = scope.run(client, () => perCallNs(SENDS, () => wrapped.send(request)));
    if (round < 0) continue;
    samples.inside.push(inside);
    samples.outside.push(outside);
    samples.headers.push(headers);
    samples.added.push(wrappedSend - bareSend);
  }
  const built = identityHeaders(client);
  if (identityHeaders(client) !== built) throw new Error("headers are built anew");
  const lookups = [
    ["of the scope, inside a run", median(samples.inside)],
    ["of the scope, outside", median(samples.outside)],
    ["of the headers, built once per identity", median(samples.headers)],
  ] as const;
  return [
    ...lookups.map(([what, ns]) => ({
      path: "identity",
      what: `our CPU time for a lookup ${what}`,
      ratio: `${ns.toFixed(1)} ns`,
      goal: `< ${GOAL_LOOKUP_NS} ns`,
      met: ns < GOAL_LOOKUP_NS,
    })),
    {
      path: "identity",
      what: "our CPU time that withIdentityHeaders adds to a request with two headers",
      ratio: `${median(samples.added).toFixed(0)} ns`,
      goal: `< ${GOAL_ADDED_NS} ns`,
      met: median(samples.added) < GOAL_ADDED_NS,
    },
  ];
}

/** Answers at once with the same promise: what is left is the cost of the way there. */
function sink(): HttpTransport {
  const answered = Promise.resolve({} as HttpResponse);
  return { send: () => answered };
}

/** What is computed must not look unused. */
let computed: unknown;

function perCallNs(count: number, once: () => unknown): number {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index += 1) computed = once();
  const { user, system } = process.cpuUsage(before);
  if (computed === undefined) throw new Error("nothing was computed");
  return ((user + system) * 1000) / count;
}

if (import.meta.main) console.table(await run());
