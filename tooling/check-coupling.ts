import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { root } from "./packages.ts";

// Rehearses in a scratch clone what a release does: one breaking changeset in transport moves the ranges and
// versions of its dependents and of nobody else, and a change in one package selects its own and its dependents'
// checks in turbo's graph, and no others.
const failures: string[] = [];
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "hawser-coupling-"));
const bin = (name: string) => path.join(root, "node_modules", ".bin", name);

try {
  copyWorkTree();
  rehearseBreakingChange();
  rehearseSelection();
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
for (const failure of failures) console.error(`version coupling: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

/** The work tree as it is, so that the rehearsal also holds before a commit. */
function copyWorkTree(): void {
  const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  for (const file of files
    .split("\0")
    .filter((name) => name !== "" && fs.existsSync(path.join(root, name)))) {
    const target = path.join(scratch, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(root, file), target);
  }
  for (const name of fs.readdirSync(path.join(scratch, ".changeset"))) {
    if (name.endsWith(".md")) fs.rmSync(path.join(scratch, ".changeset", name));
  }
  // A first release for everybody, so that ranges have something to leave.
  for (const folder of publishedFolders())
    editManifest(folder, (manifest) => ({ ...manifest, version: "1.0.0" }));
  git("init", "--quiet", "--initial-branch=main");
  commit("base");
}

function rehearseBreakingChange(): void {
  fs.writeFileSync(
    path.join(scratch, ".changeset", "breaking.md"),
    '---\n"@hawser/transport": major\n---\n\nBreaks.\n',
  );
  execFileSync(bin("changeset"), ["version"], { cwd: scratch, stdio: "pipe" });
  const expected: Record<string, string> = {};
  for (const folder of publishedFolders()) {
    const manifest = readManifest(folder);
    const depends = "@hawser/transport" in (manifest.dependencies ?? {});
    expected[manifest.name] =
      manifest.name === "@hawser/transport" ? "2.0.0" : reaches(manifest.name) || depends ? "1.0.1" : "1.0.0";
    if (depends && manifest.dependencies?.["@hawser/transport"] !== "workspace:^") {
      failures.push(`${manifest.name} no longer depends on transport through workspace:^`);
    }
  }
  const versions = Object.fromEntries(
    publishedFolders().map((folder) => [readManifest(folder).name, readManifest(folder).version]),
  );
  for (const [name, version] of Object.entries(expected)) {
    if (versions[name] !== version)
      failures.push(`${name} became ${versions[name]} after a breaking change in transport, not ${version}`);
  }
  if (versions["@hawser/retry-sse"] !== "1.0.0")
    failures.push("retry-sse moved with a package it does not depend on");
  git("checkout", "--quiet", "--", ".");
  git("clean", "--quiet", "--force", "-d");
}

function rehearseSelection(): void {
  const changed = "@hawser/retry-sse";
  fs.appendFileSync(path.join(scratch, "packages/retry-sse/src/index.ts"), "\n");
  commit("change retry-sse");
  const dry = execFileSync(
    bin("turbo"),
    ["run", "check:types", "--filter=...[HEAD^1]", "--dry=json", "--only"],
    {
      cwd: scratch,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
    },
  );
  const selected: string[] = JSON.parse(dry.slice(dry.indexOf("{"))).packages.filter(
    (name: string) => name !== "//",
  );
  const expected = [changed, ...dependentsOf(changed)].sort();
  if (JSON.stringify([...selected].sort()) !== JSON.stringify(expected)) {
    failures.push(`a change in ${changed} selects ${selected.sort().join(", ")}, not ${expected.join(", ")}`);
  }
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

function publishedFolders(): string[] {
  return ["packages", "apps"].flatMap((group) =>
    fs.readdirSync(path.join(scratch, group)).map((name) => path.join(scratch, group, name)),
  );
}

function allManifests(): Manifest[] {
  const internal = fs
    .readdirSync(path.join(scratch, "internal"))
    .map((name) => path.join(scratch, "internal", name));
  const single = ["conformance", "examples", "tooling", "bench"].map((name) => path.join(scratch, name));
  return [...publishedFolders(), ...internal, ...single]
    .filter((folder) => fs.existsSync(path.join(folder, "package.json")))
    .map((folder) => readManifest(folder));
}

/** Everything that depends on `name`, directly or not, development dependencies included. */
function dependentsOf(name: string): string[] {
  const found = new Set<string>();
  const visit = (target: string) => {
    for (const manifest of allManifests()) {
      const all = { ...manifest.dependencies, ...manifest.devDependencies };
      if (target in all && !found.has(manifest.name)) {
        found.add(manifest.name);
        visit(manifest.name);
      }
    }
  };
  visit(name);
  return [...found];
}

/** Whether a published package reaches transport through run-time dependencies. */
function reaches(name: string): boolean {
  const manifests = new Map(allManifests().map((manifest) => [manifest.name, manifest]));
  const visit = (current: string): boolean =>
    Object.keys(manifests.get(current)?.dependencies ?? {}).some(
      (next) => next === "@hawser/transport" || visit(next),
    );
  return visit(name);
}

function readManifest(folder: string): Manifest {
  return JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
}

function editManifest(folder: string, edit: (manifest: Manifest) => Manifest): void {
  fs.writeFileSync(
    path.join(folder, "package.json"),
    `${JSON.stringify(edit(readManifest(folder)), undefined, 2)}\n`,
  );
}

function commit(message: string): void {
  git("add", "--all");
  git(
    "-c",
    "user.name=rehearsal",
    "-c",
    "user.email=rehearsal@localhost",
    "commit",
    "--quiet",
    "--message",
    message,
  );
}

function git(...args: string[]): void {
  execFileSync("git", args, { cwd: scratch, stdio: "pipe" });
}
