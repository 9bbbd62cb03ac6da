import { execFileSync, fork } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { BenchRow } from "./bench-row.ts";

// Runs every bench in a process of its own, one after the other, and rewrites the table in README.md.
const folder = import.meta.dirname;
const files = fs.readdirSync(folder).filter((name) => name.endsWith(".bench.ts"));
const rows: BenchRow[] = [];
for (const file of files.sort()) {
  console.log(file);
  rows.push(...(await runOne(path.join(folder, file))));
}
fs.writeFileSync(path.join(folder, "README.md"), page(rows));
const missed = rows.filter(({ met }) => !met);
console.log(`${rows.length} rows, ${missed.length} below their goal`);

function runOne(file: string): Promise<readonly BenchRow[]> {
  return new Promise((resolve, reject) => {
    const child = fork(path.join(folder, "run-one.ts"), [file], {
      execArgv: ["--conditions=hawser-source", "--expose-gc"],
    });
    let found: readonly BenchRow[] | undefined;
    child.on("message", (message) => {
      found = message as readonly BenchRow[];
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0 && found !== undefined) resolve(found);
      else reject(new Error(`${path.basename(file)} ended with ${code}`));
    });
  });
}

function page(all: readonly BenchRow[]): string {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], {
    cwd: folder,
    encoding: "utf8",
  }).trim();
  const cpu = os.cpus()[0]?.model ?? "unknown processor";
  const table = all.map(
    ({ path: hot, what, ratio, goal, met }) =>
      `| ${hot} | ${what} | ${ratio} | ${goal} | ${met ? "yes" : "no"} |`,
  );
  return `# Benches

\`node --conditions=hawser-source bench/run.ts\` runs them all and rewrites this table. Ratios compare medians of rounds that
took turns in one run; they hold for one machine and one moment, and are never part of the tests.

Last run: ${os.cpus().length} x ${cpu}, Node ${process.versions.node}, commit ${commit}, ${new Date().toISOString().slice(0, 10)}.

| Path | Beside | Measured | Goal | Met |
| --- | --- | --- | --- | --- |
${table.join("\n")}
`;
}
