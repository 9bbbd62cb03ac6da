import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { sseStream } from "@hawser/retry-sse/sse";
import { createParser } from "eventsource-parser";
import { Stream } from "openai/core/streaming";
import { request } from "undici";
import type { BenchRow } from "./bench-row.ts";
import { median } from "./median.ts";

const EVENTS = 20_000;
const ROUNDS = 15;
const WARM_UP_ROUNDS = 3;
/** How the server writes: as a model does, and as a proxy hands on what has piled up. */
const SHAPES = [
  { name: "one event to a chunk", eventsPerWrite: 1 },
  { name: "64 events to a chunk", eventsPerWrite: 64 },
] as const;

const OURS = "sseStream";
const GOALS: Readonly<Record<string, number>> = {
  "eventsource-parser with a callback": 0.75,
  "the openai decoder": 4,
};
const GOAL_MS_PER_1000 = 1;

interface Delta {
  readonly delta: string;
}

/** Reads a whole stream, parses each event, and answers how many characters of text there were. */
type Reader = (url: string) => Promise<number>;

const readers: Readonly<Record<string, Reader>> = {
  async [OURS](url) {
    const { body } = await request(url);
    let characters = 0;
    for await (const { data } of sseStream(body)) characters += (JSON.parse(data) as Delta).delta.length;
    return characters;
  },
  async "eventsource-parser with a callback"(url) {
    const { body } = await request(url);
    let characters = 0;
    const decoder = new TextDecoder();
    const parser = createParser({
      onEvent: ({ data }) => {
        characters += (JSON.parse(data) as Delta).delta.length;
      },
    });
    for await (const chunk of body) parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    return characters;
  },
  async "the openai decoder"(url) {
    const stream = Stream.fromSSEResponse<Delta>(await fetch(url), new AbortController());
    let characters = 0;
    for await (const { delta } of stream) characters += delta.length;
    return characters;
  },
};

/** CPU time of this process per event, all readers in turn in every round, the server in another process. */
export async function run(): Promise<readonly BenchRow[]> {
  const server = fork(import.meta.filename, ["--serve"]);
  try {
    const [port] = (await once(server, "message")) as [number];
    const rows: BenchRow[] = [];
    for (const { name, eventsPerWrite } of SHAPES) {
      rows.push(...(await compared(name, `http://127.0.0.1:${port}/?perWrite=${eventsPerWrite}`)));
    }
    return rows;
  } finally {
    await ended(server);
  }
}

async function compared(shape: string, url: string): Promise<readonly BenchRow[]> {
  const costs = new Map<string, number[]>(Object.keys(readers).map((name) => [name, []]));
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    for (const [name, read] of Object.entries(readers)) {
      const costUs = await costOf(read, url);
      if (round >= 0) costs.get(name)?.push(costUs);
    }
  }
  const cost = new Map([...costs].map(([name, samples]) => [name, median(samples)]));
  for (const [name, us] of cost) console.error(`${us.toFixed(3).padStart(8)} us  ${name}, ${shape}`);

  const path = `event stream over loopback, JSON parsed, ${shape}`;
  const ours = cost.get(OURS) ?? Number.NaN;
  const ratios = Object.entries(GOALS).map(([name, goal]): BenchRow => {
    const ratio = (cost.get(name) ?? Number.NaN) / ours;
    return {
      path,
      what: `CPU time of ${name} for each of ours`,
      ratio: `${ratio.toFixed(2)}x`,
      goal: `>= ${goal.toFixed(2)}x`,
      met: ratio >= goal,
    };
  });
  return [
    ...ratios,
    {
      path,
      what: "our CPU time per 1,000 events",
      ratio: `${ours.toFixed(2)} ms`,
      goal: `<= ${GOAL_MS_PER_1000} ms`,
      met: ours <= GOAL_MS_PER_1000,
    },
  ];
}

setFlagsFromString("--expose-gc");
// The young generation only: a full collection also throws compiled code away.
const gc: (options: { type: "minor" }) => void = runInNewContext("gc");

/** CPU time of one read, in microseconds per event, which is milliseconds per thousand. */
async function costOf(read: Reader, url: string): Promise<number> {
  // Nobody pays for the garbage of whoever came before.
  gc({ type: "minor" });
  const before = process.cpuUsage();
  const characters = await read(url);
  const { user, system } = process.cpuUsage(before);
  if (characters < EVENTS) throw new Error(`only ${characters} characters arrived`);
  return (user + system) / EVENTS;
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.disconnect();
  await exit;
}

/** One event in the shape in which a model streams its words. */
function deltaEvent(index: number): string {
  const data = {
    type: "response.output_text.delta",
    item_id: "msg_0123456789abcdef0123456789abcdef0123456789abcdef",
    output_index: 0,
    content_index: 0,
    delta: ` word${index % 97}`,
    sequence_number: index,
  };
  return `event: response.output_text.delta\ndata: ${JSON.stringify(data)}\n\n`;
}

function serve(): void {
  const events = Array.from({ length: EVENTS }, (_, index) => deltaEvent(index));
  const server = createServer((incoming, response) => {
    const perWrite = Number(new URL(incoming.url ?? "/", "http://127.0.0.1").searchParams.get("perWrite"));
    response.writeHead(200, { "content-type": "text/event-stream" });
    let sent = 0;
    const write = (): void => {
      while (sent < EVENTS) {
        const text = events.slice(sent, sent + perWrite).join("");
        sent += perWrite;
        if (!response.write(text)) {
          response.once("drain", write);
          return;
        }
      }
      response.end();
    };
    write();
  });
  server.listen(0, "127.0.0.1", () => {
    process.send?.((server.address() as AddressInfo).port);
  });
  process.once("disconnect", () => process.exit());
}

if (process.argv.includes("--serve")) serve();
else if (import.meta.main) console.table(await run());
