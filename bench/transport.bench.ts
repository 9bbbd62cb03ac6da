import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Agent as HttpAgent } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  createIdentityScope,
  identityKey,
  parseClientInfo,
  processIdentity,
  withIdentityHeaders,
} from "@hawser/client-identity";
import { withRetry } from "@hawser/retry-sse";
import { createUndiciTransport, expectOk, type HttpTransport, Operation } from "@hawser/transport";
import axios from "axios";
import got from "got";
import ky from "ky";
import { Agent, request } from "undici";
import type { BenchRow } from "./bench-row.ts";
import { median } from "./median.ts";

/** One way to send: POSTs a JSON document and reads the JSON that comes back. */
interface Contender {
  readonly name: string;
  /** What our CPU time per request must be: at least this often as cheap. */
  readonly goal: number | undefined;
  readonly post: (url: URL) => Promise<unknown>;
}

const CONCURRENCY = 32;
const ROUNDS = 31;
const WARM_UP_ROUNDS = 3;
const REQUESTS = 960;

const question = { method: "tools/call", params: { name: "echo", arguments: { text: "x".repeat(200) } } };
const answer = JSON.stringify({ result: { content: [{ type: "text", text: "y".repeat(1_000) }] } });

/** CPU time of this process per request, all ways in turn in every round, the server in another process. */
export async function run(): Promise<readonly BenchRow[]> {
  const server = fork(import.meta.filename, ["--serve"]);
  try {
    const [port] = (await once(server, "message")) as [number];
    return await compared(new URL(`http://127.0.0.1:${port}/rpc`));
  } finally {
    await ended(server);
  }
}

async function compared(url: URL): Promise<readonly BenchRow[]> {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const ways = contenders(closers);
  const costs = new Map<string, number[]>(ways.map(({ name }) => [name, []]));
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    for (const way of shuffled(ways)) {
      const costUs = await costOf(way, url);
      if (round >= 0) costs.get(way.name)?.push(costUs);
    }
  }
  for (const close of closers) await close();

  return ways.flatMap(({ name, goal }) => {
    if (goal === undefined) return [];
    // Round by round: what the machine does beside this hits both.
    const ratio = median(
      (costs.get(name) ?? []).map((costUs, round) => costUs / (costs.get(OURS)?.[round] ?? 0)),
    );
    return [
      {
        path: "transport with retry, deadline and identity, 32 concurrent",
        what: `CPU time of ${name} (${median(costs.get(name) ?? []).toFixed(0)} us) by ours`,
        ratio: `${ratio.toFixed(2)}x`,
        goal: `>= ${goal.toFixed(2)}x`,
        met: ratio >= goal,
      },
    ];
  });
}

setFlagsFromString("--expose-gc");
// The young generation only: a full collection also throws compiled code away.
const gc: (options: { type: "minor" }) => void = runInNewContext("gc");

const OURS = "ours";

function contenders(closers: (() => Promise<unknown> | unknown)[]): readonly Contender[] {
  const rawAgent = new Agent({ allowH2: false });
  const keptAlive = new HttpAgent({ keepAlive: true });
  const wire = createUndiciTransport();
  closers.push(
    () => rawAgent.close(),
    () => keptAlive.destroy(),
    () => wire[Symbol.asyncDispose](),
  );
  const processWide = processIdentity({ name: "bench", version: "1.0.0" });
  const client = parseClientInfo({ name: "bench_client", version: "1.2.3" }, { process: processWide });
  const layered: HttpTransport = withRetry()(withIdentityHeaders(createIdentityScope(processWide))(wire));
  const hawser = async (url: URL) => {
    const response = await layered.send({
      method: "POST",
      url,
      headers: [["accept", "application/json"]],
      body: { json: question },
      idempotent: true,
      operation: Operation.start({ label: "tools/call", timeoutMs: 30_000 }).with(identityKey, client),
    });
    return (await expectOk(response)).json();
  };
  return [
    { name: OURS, goal: undefined, post: hawser },
    {
      name: "undici.request",
      goal: 0.9,
      post: async (url) => {
        const { body } = await request(url, {
          dispatcher: rawAgent,
          method: "POST",
          headers: { accept: "application/json", "content-type": "application/json" },
          body: JSON.stringify(question),
        });
        return body.json();
      },
    },
    {
      name: "global fetch",
      goal: 3,
      post: async (url) => {
        const response = await fetch(url, {
          method: "POST",
          headers: { accept: "application/json", "content-type": "application/json" },
          body: JSON.stringify(question),
        });
        return response.json();
      },
    },
    {
      name: "got",
      goal: 5,
      post: (url) => got.post(url, { json: question, agent: { http: keptAlive } }).json(),
    },
    { name: "ky", goal: 4, post: (url) => ky.post(url, { json: question }).json() },
    {
      name: "axios",
      goal: 5,
      post: async (url) => (await axios.post(url.href, question, { httpAgent: keptAlive })).data,
    },
  ];
}

async function costOf({ post }: Contender, url: URL): Promise<number> {
  // Nobody pays for the garbage of whoever came before.
  gc({ type: "minor" });
  let left = REQUESTS;
  const before = process.cpuUsage();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left > 0) {
        left -= 1;
        const reply = (await post(url)) as { result: { content: unknown[] } };
        if (reply.result.content.length !== 1) throw new Error("not the answer");
      }
    }),
  );
  const { user, system } = process.cpuUsage(before);
  return (user + system) / REQUESTS;
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((left, right) => left.at - right.at)
    .map(({ item }) => item);
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.disconnect();
  await exit;
}

/** As little of a server as keep-alive clients need: it must never be what they wait for. */
function serve(): void {
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${answer.length}\r\nconnection: keep-alive\r\n\r\n`;
  const whole = Buffer.from(head + answer);
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    let received = "";
    socket.on("error", () => {});
    socket.on("data", (piece) => {
      received += piece.toString("latin1");
      for (;;) {
        const end = received.indexOf("\r\n\r\n");
        if (end < 0) return;
        const request = received.slice(0, end).toLowerCase();
        const length = Number(/content-length: *(\d+)/.exec(request)?.[1] ?? 0);
        const chunked = request.includes("transfer-encoding: chunked");
        const last = chunked ? received.indexOf("\r\n0\r\n\r\n", end) : end + 4 + length;
        if (last < 0 || received.length < last) return;
        received = received.slice(chunked ? last + 7 : last);
        socket.write(whole);
      }
    });
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.on("disconnect", () => process.exit());
}

if (process.argv[2] === "--serve") serve();
else if (import.meta.main) console.table(await run());
