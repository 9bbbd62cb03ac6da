import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { judgePromises, type PromiseEntry, type TestOutcome } from "./promise-gate.ts";

interface RunnerReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly meta?: { readonly proves?: readonly string[] };
    }[];
  }[];
}

const root = path.dirname(import.meta.dirname);
const reportFile = process.argv[2];
if (reportFile === undefined) throw new Error("usage: gate.ts REPORT.json");

const report = judgePromises(await readPromises(), readOutcomes(reportFile));
for (const failure of report.failures) console.error(`promise gate: ${failure}`);
for (const id of report.notRun) console.log(`promise gate: could not run here: ${id}`);
console.log(`promises: ${report.proven} of ${report.total} proven`);
process.exitCode = report.failures.length === 0 ? 0 : 1;

async function readPromises(): Promise<{ id: string; file: string; entry: PromiseEntry }[]> {
  const files = ["packages", "apps", "internal"].flatMap((group) =>
    fs.readdirSync(path.join(root, group)).map((name) => path.join(group, name, "test", "promises.ts")),
  );
  const found: { id: string; file: string; entry: PromiseEntry }[] = [];
  for (const file of files.filter((name) => fs.existsSync(path.join(root, name)))) {
    const module: { promises: Record<string, PromiseEntry> } = await import(
      pathToFileURL(path.join(root, file)).href
    );
    for (const [id, entry] of Object.entries(module.promises)) found.push({ id, file, entry });
  }
  return found;
}

function readOutcomes(file: string): TestOutcome[] {
  const parsed: RunnerReport = JSON.parse(fs.readFileSync(file, "utf8"));
  return parsed.testResults.flatMap((result) =>
    result.assertionResults.map((test) => ({
      name: test.fullName,
      file: path.relative(root, result.name),
      status: test.status === "passed" || test.status === "failed" ? test.status : "skipped",
      proves: test.meta?.proves ?? [],
    })),
  );
}
