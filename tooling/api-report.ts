import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";
import { publishedPackages, root, type WorkspacePackage } from "./packages.ts";

// Compares each package's public surface with its committed report, and asks for a changeset when the surface is
// not the one its current version was published with. `--write` rewrites the reports.
const write = process.argv.includes("--write");
const failures: string[] = [];
let notChecked = 0;

for (const published of publishedPackages()) {
  for (const subpath of published.subpaths) checkReport(published, subpath);
  if (published.subpaths.length > 0) checkChangeset(published);
}
for (const failure of failures) console.error(`public surface: ${failure}`);
if (notChecked > 0)
  console.log(`public surface: changesets not checked for ${notChecked} packages, history is missing`);
process.exitCode = failures.length === 0 ? 0 : 1;

function checkReport(published: WorkspacePackage, subpath: string): void {
  const entry = subpath === "." ? "index" : subpath.slice(2);
  const reportName = `${path.basename(published.folder)}${subpath === "." ? "" : `.${entry}`}.api.md`;
  const folder = path.join(published.folder, "etc");
  fs.mkdirSync(folder, { recursive: true });
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "hawser-api-"));
  try {
    const config = ExtractorConfig.prepare({
      configObject: {
        projectFolder: published.folder,
        mainEntryPointFilePath: path.join(published.folder, "dist", `${entry}.d.ts`),
        compiler: {
          overrideTsconfig: {
            compilerOptions: {
              target: "es2022",
              lib: ["es2023", "esnext.disposable"],
              module: "nodenext",
              moduleResolution: "nodenext",
              types: ["node"],
              typeRoots: [path.join(root, "node_modules", "@types")],
              strict: true,
              skipLibCheck: true,
            },
            files: [path.join(published.folder, "dist", `${entry}.d.ts`)],
          },
        },
        apiReport: {
          enabled: true,
          reportFileName: reportName,
          reportFolder: folder,
          reportTempFolder: scratch,
        },
        docModel: { enabled: false },
        dtsRollup: { enabled: false },
        tsdocMetadata: { enabled: false },
        newlineKind: "lf",
        messages: {
          compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
          extractorMessageReporting: {
            default: { logLevel: ExtractorLogLevel.None },
            // A subpath may speak of what the main entry exports; the main entry names everything itself.
            "ae-forgotten-export": {
              logLevel: subpath === "." ? ExtractorLogLevel.Error : ExtractorLogLevel.None,
            },
          },
          tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        },
      },
      configObjectFullPath: undefined,
      packageJsonFullPath: path.join(published.folder, "package.json"),
    });
    const result = Extractor.invoke(config, {
      localBuild: write,
      showVerboseMessages: false,
      messageCallback: (message) => {
        if (message.logLevel === ExtractorLogLevel.Error) failures.push(`${reportName}: ${message.text}`);
        message.handled = true;
      },
    });
    if (result.apiReportChanged && !write) {
      failures.push(
        `${reportName} is not what the package exports now; run: node tooling/api-report.ts --write`,
      );
    }
  } finally {
    fs.rmSync(scratch, { recursive: true });
  }
}

function checkChangeset(published: WorkspacePackage): void {
  const relative = path.relative(root, published.folder);
  const released = surfaceAtRelease(relative);
  if (released === undefined) {
    notChecked += 1;
    return;
  }
  if (released === surfaceNow(published.folder) || pendingChangesets().includes(published.name)) return;
  failures.push(
    `${published.name} exports something else than version ${published.version} did, and no changeset names it`,
  );
}

/** All reports of the package as of the commit that last set its version; empty before the first release. */
function surfaceAtRelease(relative: string): string | undefined {
  const manifest = `${relative}/package.json`;
  if (git("rev-parse", "--is-shallow-repository") !== "false") return undefined;
  const version = JSON.parse(fs.readFileSync(path.join(root, manifest), "utf8")).version;
  if (version === "0.0.0") return "";
  const commit = git("log", "-1", "--format=%H", `-G"version":`, "--", manifest);
  if (commit === undefined || commit === "") return undefined;
  const files = git("ls-tree", "--name-only", commit, `${relative}/etc/`) ?? "";
  return files
    .split("\n")
    .filter((name) => name.endsWith(".api.md"))
    .map((name) => git("show", `${commit}:${name}`))
    .join("\n");
}

function surfaceNow(folder: string): string {
  const etc = path.join(folder, "etc");
  return fs
    .readdirSync(etc)
    .filter((name) => name.endsWith(".api.md"))
    .sort()
    .map((name) => fs.readFileSync(path.join(etc, name), "utf8").trimEnd())
    .join("\n");
}

function pendingChangesets(): string {
  const folder = path.join(root, ".changeset");
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => fs.readFileSync(path.join(folder, name), "utf8").split("---")[1] ?? "")
    .join("\n");
}

function git(...args: string[]): string | undefined {
  try {
    return execFileSync("git", args, {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trimEnd();
  } catch {
    return undefined; // no repository here, or no such commit: the caller reports "not checked"
  }
}
