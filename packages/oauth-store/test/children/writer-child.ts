import { join } from "node:path";
import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createAggregateFileStore } from "../../src/aggregate-file-store.ts";

/** Writes one entry into each store at the word of the parent: once, or again and again until it is killed. */
const port = connectParent();
const { homes, key, forever } = (await port.receive()) as {
  homes: readonly string[];
  key: string;
  forever: boolean;
};
// Not the whole package: a dozen of these are started at once.
const stores = homes.map((home) =>
  createAggregateFileStore({
    path: join(home, ".credentials.json"),
    lockPath: join(home, "mcp-oauth-locks", "file-store.lock"),
  }),
);
port.send("ready");
await port.receive();
await Promise.all(
  stores.map(async (store) => {
    let writes = 0;
    do {
      writes += 1;
      await store.update(key, () => ({ write: { writes, padding: "x".repeat(20_000) } }));
      if (writes === 1) port.send("written");
    } while (forever);
  }),
);
port.close();
