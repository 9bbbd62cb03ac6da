import { join } from "node:path";
// Not the index: children start faster with less.
import { createAggregateFileStore } from "../../src/aggregate-file-store.ts";
import type { SharedFile } from "./shared-file.ts";

export const plainFile: SharedFile = {
  kind: "plain",
  name: ".credentials.json",
  lock: "file-store.lock",
  open: (home, locks) =>
    createAggregateFileStore({
      path: join(home, ".credentials.json"),
      lockPath: join(home, "locks", "file-store.lock"),
      locks,
    }),
};
