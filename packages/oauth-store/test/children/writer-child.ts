import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createAggregateFileStore } from "../../src/aggregate-file-store.ts";

/** A store at which a point was passed, or `written`. */
export type WriterReport = "ready" | { readonly at: number; readonly point: string };

/**
 * Writes one entry into each store at the word of the parent: once, or again and again, each in its own time, until it
 * is killed.
 */
const port = connectParent();
const { homes, key, forever } = (await port.receive()) as {
  homes: readonly string[];
  key: string;
  forever: boolean;
};
const tell = (report: WriterReport) => port.send(report);
// Not the whole package: a dozen of these are started at once.
const stores = homes.map((home) =>
  createAggregateFileStore({
    path: join(home, ".credentials.json"),
    lockPath: join(home, "mcp-oauth-locks", "file-store.lock"),
  }),
);
tell("ready");
await port.receive();
await Promise.all(
  stores.map(async (store, at) => {
    let writes = 0;
    do {
      writes += 1;
      const sinceMs = performance.now();
      const entry = { writes, padding: "x".repeat(20_000) };
      await store.update(key, () => ({ write: entry }), { faultPoint: (point) => tell({ at, point }) });
      tell({ at, point: "written" });
      if (forever) await sleep((Math.random() * (performance.now() - sinceMs)) / 4);
    } while (forever);
  }),
);
port.close();
