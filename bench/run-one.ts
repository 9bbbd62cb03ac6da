import { pathToFileURL } from "node:url";
import type { BenchRow } from "./bench-row.ts";

// One bench in this process; its rows go to the parent.
const [file = ""] = process.argv.slice(2);
const { run }: { run: () => Promise<readonly BenchRow[]> } = await import(pathToFileURL(file).href);
const rows = await run();
process.send?.(rows, () => process.exit(0));
