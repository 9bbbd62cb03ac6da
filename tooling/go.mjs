// Entry of `npm start` and `npm test`. Built-in modules and Node 18 syntax only: it runs before anything is
// installed, and fetches Node and pnpm from the registry where the machine's own are missing or too old.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const NODE_VERSION = "24.21.0";
const PNPM_VERSION = "12.21.0";
const NODE_FLOOR = [22, 19];
const windows = process.platform === "win32";

const COMMANDS = {
  start: { build: true, script: ["internal/tour/src/main.ts"] },
  test: { build: false, script: ["tooling/test.ts"] },
  bench: { build: true, script: ["bench/run.ts"] },
  "test:long": { build: false, script: ["tooling/test.ts", "--long"] },
};

const [name = "", ...rest] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (command === undefined)
  fail(`unknown command ${JSON.stringify(name)}; one of ${Object.keys(COMMANDS).join(", ")}`);
if (!fs.existsSync(path.join(root, command.script[0]))) fail(`"${name}" is not there yet`);

const env = cleanEnvironment(process.env);
prependPath(findTools());
run("pnpm", ["install", "--frozen-lockfile", "--prefer-offline"], "install dependencies");
prependPath(path.join(root, "node_modules", ".bin"));
if (command.build)
  run(
    "turbo",
    ["run", "build", "--output-logs=errors-only", "--filter=./packages/*", "--filter=./apps/*"],
    "build",
  );
superviseMain([...command.script, ...rest]);

/** Folder that holds a good enough `node` and `pnpm`; undefined when PATH already has both. */
function findTools() {
  const ownNode = process.versions.node.split(".").map(Number);
  const nodeIsGood =
    ownNode[0] > NODE_FLOOR[0] || (ownNode[0] === NODE_FLOOR[0] && ownNode[1] >= NODE_FLOOR[1]);
  const pnpm = spawnSync("pnpm", ["--version"], { env, encoding: "utf8", shell: windows, cwd: root });
  if (nodeIsGood && pnpm.status === 0 && /^12\./.test(pnpm.stdout.trim()))
    return path.dirname(process.execPath);

  const note = path.join(root, "node_modules", ".hawser-tools");
  const known = readIfThere(note);
  if (known !== undefined && fs.existsSync(path.join(known, windows ? "pnpm.cmd" : "pnpm"))) return known;

  const printFolder = "console.log('TOOLS=' + process.env.PATH.split(require('path').delimiter)[0])";
  const args = ["-y", "--prefer-offline", "--ignore-scripts=false"];
  args.push(
    "-p",
    `node@${NODE_VERSION}`,
    "-p",
    `pnpm@${PNPM_VERSION}`,
    "--",
    "node",
    "-e",
    windows ? `"${printFolder}"` : printFolder,
  );
  const fetched = spawnSync("npx", args, { env: process.env, encoding: "utf8", shell: windows, cwd: root });
  if (fetched.error !== undefined) {
    fail(
      `this is Node ${process.versions.node} and npx is not on PATH. Install Node >= 22.19 and pnpm 12, or npm.`,
    );
  }
  const folder = /^TOOLS=(.*)$/m.exec(fetched.stdout ?? "");
  if (fetched.status !== 0 || folder === null) {
    fail(
      `could not fetch Node ${NODE_VERSION} and pnpm ${PNPM_VERSION} from the npm registry:\n${fetched.stderr}`,
    );
  }
  fs.mkdirSync(path.dirname(note), { recursive: true });
  fs.writeFileSync(note, folder[1].trim());
  return folder[1].trim();
}

/** npm hands its whole configuration down as npm_* variables; pnpm would take them as its own. */
function cleanEnvironment(source) {
  const kept = /^npm_config_(cache|registry|cafile|ca|proxy|https_proxy|noproxy|offline|prefer_offline)$/i;
  const entries = Object.entries(source).filter(([key]) => !/^npm_/i.test(key) || kept.test(key));
  return { ...Object.fromEntries(entries), TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" };
}

function prependPath(folder) {
  const key = Object.keys(env).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
  env[key] = folder + path.delimiter + (env[key] ?? "");
}

function run(program, args, what) {
  const result = spawnSync(program, args, {
    cwd: root,
    env,
    shell: windows,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.error !== undefined) fail(`could not ${what}: ${result.error.message}`);
  if (result.status !== 0) fail(`could not ${what}:\n${result.stdout}${result.stderr}`);
}

/** Runs the script in its own process; ends with it, on our signals, and when our parent is gone. */
function superviseMain(args) {
  const child = spawn(
    "node",
    ["--conditions=hawser-source", "--disable-warning=ExperimentalWarning", ...args],
    {
      cwd: root,
      env,
      stdio: "inherit",
      shell: false,
    },
  );
  // Ctrl-C in a terminal reaches the script by itself as well; being told twice does it no harm.
  let asked = 0;
  const forward = (signal) => {
    asked += 1;
    child.kill(asked > 3 ? "SIGKILL" : signal);
  };
  process.on("SIGINT", () => forward("SIGINT"));
  process.on("SIGTERM", () => forward("SIGTERM"));
  process.on("SIGHUP", () => forward("SIGTERM"));
  const ancestors = liveAncestors();
  const orphanCheck = setInterval(() => {
    if (liveAncestors() !== ancestors) forward("SIGTERM");
  }, 500);
  orphanCheck.unref();
  child.on("error", (error) => fail(`could not start node: ${error.message}`));
  child.on("exit", (code, signal) => {
    clearInterval(orphanCheck);
    process.exitCode = code ?? (signal === "SIGINT" ? 130 : signal === "SIGTERM" ? 143 : 1);
  });
}

/** Our parent and, where /proc tells, its parent: npm starts us through a shell that may outlive it. */
function liveAncestors() {
  const status = readIfThere(`/proc/${process.ppid}/status`);
  const grandparent = status === undefined ? null : /^PPid:\s*(\d+)$/m.exec(status);
  return `${process.ppid} ${grandparent === null ? "" : grandparent[1]}`;
}

function readIfThere(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined; // no note before the first run, no /proc on other systems
  }
}

function fail(message) {
  console.error(`hawser: ${message}`);
  process.exit(1);
}
