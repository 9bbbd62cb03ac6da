import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { publishedPackages, root, type WorkspacePackage } from "./packages.ts";
import { readmeExample } from "./readme-example.ts";

// Packs every package and app, installs the tarballs into an empty ESM project as a user would, and there imports
// every export, type-checks, runs the README examples and asks each command for its help.
const failures: string[] = [];
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "hawser packaging-"));
try {
  const published = publishedPackages();
  const tarballs = new Map(published.map((one) => [one.name, pack(one)]));
  const project = path.join(scratch, "project");
  if (failures.length === 0 && install(project, published, tarballs)) {
    importEverything(project, published);
    const examples = writeExamples(project, published);
    typeCheck(project);
    for (const example of examples) run(project, "node", [example], `README example ${example}`);
    for (const { name, manifest } of published) {
      for (const bin of Object.keys(manifest.bin ?? {})) {
        run(project, path.join(project, "node_modules", ".bin", bin), ["--help"], `${name}: ${bin} --help`);
      }
    }
  }
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
for (const failure of failures) console.error(`packaging: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

function pack(published: WorkspacePackage): string {
  const target = path.join(scratch, `${path.basename(published.folder)}.tgz`);
  run(published.folder, "pnpm", ["pack", "--out", target], `${published.name}: pack`);
  run(root, "publint", ["--strict", "--pack", "false", target], `${published.name}: publint`);
  if (published.subpaths.length > 0) {
    run(
      root,
      "attw",
      [target, "--profile", "esm-only", "--no-emoji", "--format", "ascii"],
      `${published.name}: attw`,
    );
  }
  return target;
}

function install(project: string, published: WorkspacePackage[], tarballs: Map<string, string>): boolean {
  fs.mkdirSync(project);
  const dependencies = Object.fromEntries(published.map(({ name }) => [name, `file:${tarballs.get(name)}`]));
  const manifest = {
    name: "empty",
    private: true,
    type: "module",
    dependencies: { ...dependencies, "@modelcontextprotocol/client": "^2.4.0" },
  };
  fs.writeFileSync(path.join(project, "package.json"), JSON.stringify(manifest, undefined, 2));
  const overrides = published.map(({ name }) => `  "${name}": "file:${tarballs.get(name)}"`).join("\n");
  fs.writeFileSync(path.join(project, "pnpm-workspace.yaml"), `packages: []\noverrides:\n${overrides}\n`);
  const output = run(
    project,
    "pnpm",
    ["install", "--prefer-offline", "--no-frozen-lockfile"],
    "install from tarballs",
  );
  if (output === undefined) return false;
  if (/ignored build|ERR_PNPM_IGNORED/i.test(output))
    failures.push(`install complains about install scripts:\n${output}`);
  return true;
}

function importEverything(project: string, published: WorkspacePackage[]): void {
  const lines = published.flatMap(({ name, subpaths }, at) =>
    subpaths.map((subpath, nth) => {
      const specifier = subpath === "." ? name : `${name}/${subpath.slice(2)}`;
      return [
        `import * as m${at}_${nth} from "${specifier}";`,
        `if (Object.keys(m${at}_${nth}).length === 0) throw new Error("${specifier} exports nothing");`,
        `for (const [key, value] of Object.entries(m${at}_${nth})) if (value === undefined) throw new Error("${specifier}: " + key);`,
      ].join("\n");
    }),
  );
  fs.writeFileSync(path.join(project, "import-everything.ts"), `${lines.join("\n")}\n`);
  run(project, "node", ["import-everything.ts"], "import every export");
  const required = published.flatMap(({ name, subpaths }) =>
    subpaths.includes(".") ? [`require(${JSON.stringify(name)});`] : [],
  );
  fs.writeFileSync(path.join(project, "require-everything.cjs"), required.join("\n"));
  run(project, "node", ["require-everything.cjs"], "require() every package");
}

function writeExamples(project: string, published: WorkspacePackage[]): string[] {
  return published.flatMap(({ folder, name }) => {
    const example = readmeExample(path.join(folder, "README.md"));
    if (example === undefined) {
      failures.push(`${name}: the README has no \`\`\`ts example`);
      return [];
    }
    const file = `${path.basename(folder)}.example.ts`;
    fs.writeFileSync(path.join(project, file), example);
    return [file];
  });
}

function typeCheck(project: string): void {
  const compilerOptions = {
    target: "es2023",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
    typeRoots: [path.join(root, "node_modules", "@types")],
  };
  fs.writeFileSync(
    path.join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions, include: ["*.ts"] }),
  );
  run(
    project,
    path.join(root, "node_modules", ".bin", "tsc"),
    ["-p", "."],
    "type-check against the packed declarations",
  );
}

/** The combined output, or undefined after recording the failure. */
function run(cwd: string, program: string, args: string[], what: string): string | undefined {
  const result = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    timeout: 120_000,
    shell: process.platform === "win32",
    env: { ...process.env, NODE_OPTIONS: "", CI: "true" },
  });
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}`;
  if (result.status === 0) return output;
  failures.push(
    `${what} failed (${result.error?.message ?? result.signal ?? `exit ${result.status}`}):\n${output.trimEnd()}`,
  );
  return undefined;
}
