import { readFile, rm } from "node:fs/promises";
import { type SpawnedChild, spawnChild, temporaryHome } from "@hawser/test-kit";
import type { KillOrder, KillReport, KillSetup } from "../children/killed-child.ts";
import { KillLab, othersIn } from "./kill-lab.ts";
import { type KillStore, plainFileOf } from "./kill-stores.ts";
import type { KillWork, Prepared } from "./kill-work.ts";
import { KEY } from "./memory-setting.ts";
import type { Step } from "./steps.ts";
import { startTokenServer } from "./token-server.ts";

const CHILD = new URL("../children/killed-child.ts", import.meta.url);

/** One home, and what is done in it. */
export interface Scene {
  readonly work: KillWork;
  readonly store: KillStore;
  readonly home: string;
  readonly prepared: Prepared;
  /** What else was in the file. */
  readonly others: unknown;
  /** The file as it was before anything was done; undefined where there was none. */
  readonly before: Buffer | undefined;
  /** How often the refresh token had been sent before. */
  readonly sends: number;
}

/** Where processes are started for one kind of store, and killed. */
export interface KillStage extends AsyncDisposable {
  readonly lab: KillLab;
  scenes(works: readonly KillWork[]): Promise<Scene[]>;
  /** What each work goes through when nobody kills it. */
  rehearse(works: readonly KillWork[]): Promise<(readonly Step[])[]>;
  /** Kills one process when it stands at its point in each scene, `name#2` being the second of a name: their names. */
  kill(scenes: readonly Scene[], points: readonly string[]): Promise<string[]>;
  clear(scenes: readonly Scene[]): Promise<void>;
}

export async function killStage(store: KillStore): Promise<KillStage> {
  const root = await temporaryHome();
  const lab = new KillLab();
  const tokens = await startTokenServer(lab.authority);
  const children = new Set<SpawnedChild>();
  let homes = 0;

  async function start(
    orders: readonly KillOrder[],
  ): Promise<{ child: SpawnedChild; reports: KillReport[] }> {
    const child = spawnChild({ script: CHILD });
    children.add(child);
    void child.exited.then(() => children.delete(child));
    child.send({ key: KEY, tokenUrl: tokens.url, nowMs: lab.nowMs, orders } satisfies KillSetup);
    const reports: KillReport[] = [];
    while (reports.length < orders.length) reports.push(await child.receive<KillReport>());
    return { child, reports: reports.sort((a, b) => a.order - b.order) };
  }

  async function killAll(orders: readonly KillOrder[]): Promise<string[]> {
    const { child, reports } = await start(orders);
    const { signal } = await child.kill();
    if (signal !== "SIGKILL") throw new Error(`it was not killed: ${child.stderr}`);
    return reports.map((report) => ("stands" in report ? report.stands : "the end"));
  }

  const orderOf = ({ work: { work }, home, prepared: { credential } }: Scene): KillOrder => ({
    home,
    store,
    work,
    credential,
  });

  async function scenes(works: readonly KillWork[]): Promise<Scene[]> {
    const made = await Promise.all(
      works.map(async (work) => {
        homes += 1;
        const home = root.file(String(homes));
        const prepared = await work.prepare(lab, home, store);
        const before = await readFile(plainFileOf(store, home)).catch(() => undefined);
        return { work, store, home, prepared, others: await othersIn(home, store), before };
      }),
    );
    const first = made.flatMap(({ work: { after }, home }): KillOrder[] =>
      after === undefined ? [] : [{ home, store, work: "use", standsAt: after }],
    );
    if (first.length > 0) await killAll(first);
    return made.map((one) => ({ ...one, sends: lab.authority.sendsOf(one.prepared.token) }));
  }

  return {
    lab,
    scenes,
    async rehearse(works) {
      const { child, reports } = await start((await scenes(works)).map(orderOf));
      await child.exited;
      return reports.map((report) => ("steps" in report ? report.steps : []));
    },
    kill: (those, points) => killAll(those.map((one, n) => ({ ...orderOf(one), standsAt: points[n] }))),
    async clear(those) {
      await Promise.all(those.map(({ home }) => rm(home, { recursive: true })));
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) await child[Symbol.asyncDispose]();
      await tokens.close();
      await root.remove();
    },
  };
}
