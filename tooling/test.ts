import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { runSteps, type Step } from "./run-steps.ts";

const root = path.dirname(import.meta.dirname);
const long = process.argv.includes("--long");
const cache = path.join(root, "node_modules", ".cache", "hawser");
const report = path.join(cache, "vitest.json");
fs.mkdirSync(cache, { recursive: true });
fs.rmSync(report, { force: true });

const script = (file: string, ...args: string[]): Step["command"] => [
  "node",
  "--conditions=hawser-source",
  "--disable-warning=ExperimentalWarning",
  file,
  ...args,
];
const tests: Step["command"] = [
  "vitest",
  "run",
  "--reporter=dot",
  "--reporter=json",
  `--outputFile.json=${report}`,
  // One core is left alone by default; where there are two, that is half of them.
  `--maxWorkers=${Math.max(2, os.availableParallelism() - 1)}`,
  ...(long ? ["--testTimeout=3600000"] : []),
];

const steps: Step[] = [
  { name: "format and lint", command: ["biome", "ci", "--colors=off", "--error-on-warnings", "."] },
  { name: "rooms", command: script("tooling/check-rooms.ts") },
  {
    name: "build",
    command: ["turbo", "run", "build", "--output-logs=errors-only"],
    env: { TURBO_TELEMETRY_DISABLED: "1" },
  },
  { name: "tests", command: tests, after: ["build"], env: long ? { HAWSER_TEST_LONG: "1" } : {} },
  { name: "types", command: ["turbo", "run", "check:types", "--output-logs=errors-only"], after: ["build"] },
  { name: "unused code", command: ["knip", "--no-config-hints"] },
  { name: "public surface", command: script("tooling/api-report.ts"), after: ["build"] },
  { name: "size", command: ["size-limit"], after: ["build"] },
  { name: "packaging", command: script("tooling/check-packaging.ts"), after: ["build"] },
  { name: "version coupling", command: script("tooling/check-coupling.ts") },
  { name: "promises", command: script("conformance/gate.ts", report), after: ["tests"], show: true },
];

const startedMs = performance.now();
const results = await runSteps(steps, {
  root,
  onResult: ({ name, status, output, durationMs }) => {
    const step = steps.find((candidate) => candidate.name === name);
    console.log(
      `${status === "passed" ? "ok " : "NOT OK"} ${name} (${(durationMs / 1000).toFixed(1)} s)${status === "not run" ? ": not run, something before it failed" : ""}`,
    );
    if (status === "failed" || step?.show === true) console.log(indent(output));
  },
});

const counts = summarize();
if (long) writeFigures(counts);

/** Counts of what ran, what could not run here, and the closing line. */
function summarize(): string {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const skipped: string[] = [];
  if (fs.existsSync(report)) {
    const parsed: {
      testResults: { name: string; assertionResults: { fullName: string; status: string }[] }[];
    } = JSON.parse(fs.readFileSync(report, "utf8"));
    for (const { name, assertionResults } of parsed.testResults) {
      for (const { fullName, status } of assertionResults) {
        if (status === "passed") counts.passed += 1;
        else if (status === "failed") counts.failed += 1;
        else {
          counts.skipped += 1;
          skipped.push(`${path.relative(root, name)}: ${fullName}`);
        }
      }
    }
  }
  const failedSteps = results.filter(({ status }) => status !== "passed").map(({ name }) => name);
  console.log("");
  if (skipped.length > 0) console.log(`could not run here:\n${skipped.map((row) => `  ${row}`).join("\n")}`);
  console.log(
    `checks: ${results.length - failedSteps.length} of ${results.length} hold${failedSteps.length > 0 ? `; not: ${failedSteps.join(", ")}` : ""}`,
  );
  console.log(
    `time: ${((performance.now() - startedMs) / 1000).toFixed(0)} s${long ? ", full counts" : ", sampled counts"}`,
  );
  const line = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
  console.log(line);
  process.exitCode = failedSteps.length === 0 ? 0 : 1;
  return line;
}

/** What the full counts came to, for the record: `conformance/figures/long.md`. */
function writeFigures(counts: string): void {
  const output = results.find(({ name }) => name === "tests")?.output ?? "";
  const figures = [...output.matchAll(/figure: (.*)$/gm)].map(([, line]) => `- ${line}`);
  const lines = [
    "# The last full run",
    "",
    `Written by \`npm run test:long\`, of what stood at ${head()}: ${counts}.`,
    "",
    ...results.map(
      ({ name, status, durationMs }) => `- ${name}: ${status}, ${(durationMs / 1000).toFixed(0)} s`,
    ),
    ...(figures.length > 0 ? ["", ...figures.sort()] : []),
  ];
  fs.writeFileSync(path.join(root, "conformance", "figures", "long.md"), `${lines.join("\n")}\n`);
}

/** The commit the figures are of, and whether more had changed. */
function head(): string {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--", ".", ":!conformance/figures") !== "";
  return `${git("rev-parse", "--short", "HEAD")}${changed ? ", with changes" : ""}`;
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, "    ");
}
