import { type ChildProcess, spawn } from "node:child_process";
import { type Channel, channel } from "node:diagnostics_channel";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface SpawnChildOptions {
  /** A script Node can run: TypeScript with erasable syntax, or JavaScript. Path or `file:` URL. */
  script: string | URL;
  args?: readonly string[] | undefined;
  /** Laid over this process's environment; `undefined` removes a variable. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  cwd?: string | undefined;
  /** More flags for Node itself. */
  execArgv?: readonly string[] | undefined;
  /** Fault points armed from the start. */
  arm?: readonly string[] | undefined;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnedChild extends AsyncDisposable {
  readonly pid: number;
  /** What the child sent, in order. */
  readonly messages: readonly unknown[];
  /** Everything on stdout that was not a message of the protocol. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when the process is gone and its output read. Never rejects. */
  readonly exited: Promise<ChildExit>;
  readonly process: ChildProcess;
  /** The next message not yet taken by `receive`. Rejects, with stderr, when the child exits first. */
  receive<T = unknown>(): Promise<T>;
  /** Resolves with the first line of plain stdout that `predicate` accepts. */
  waitForLine(predicate?: (line: string) => boolean): Promise<string>;
  send(value: unknown): void;
  /** From now on the child stops each time it reaches this point. */
  arm(name: string): void;
  disarm(name: string): void;
  /** Resolves when the child stands at the armed point. Rejects when it exits first. */
  reached(name: string): Promise<void>;
  /** Lets the child, which stands at `name`, go on; the point stays armed. */
  release(name: string): void;
  /** Sends the signal (default SIGKILL) and waits until the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<ChildExit>;
}

/** Told of each `SpawnedChild` as it starts: for whoever watches all children of a process, whichever test has them. */
export const childStarted: Channel = channel("hawser.test-kit.child-started");

/**
 * Starts a script with this Node and `--conditions=hawser-source`, so it sees sources, not builds. The script may call
 * `connectParent()` to send and receive JSON lines and to offer fault points; a script that does not can still be
 * watched and killed. Disposal kills it.
 */
export function spawnChild(options: SpawnChildOptions): SpawnedChild {
  const { script, args = [], env = {}, cwd, execArgv = [], arm = [] } = options;
  const path = typeof script === "string" && !script.startsWith("file:") ? script : fileURLToPath(script);
  const child = spawn(
    process.execPath,
    ["--conditions=hawser-source", "--disable-warning=ExperimentalWarning", ...execArgv, path, ...args],
    { cwd, env: environment(env), stdio: ["pipe", "pipe", "pipe"] },
  );

  const messages: unknown[] = [];
  const plainLines: string[] = [];
  const armed = new Set(arm);
  const standing: { name: string; ask: number }[] = [];
  const watchers = new Set<() => void>();
  let taken = 0;
  let stderr = "";
  let exit: ChildExit | undefined;
  const changed = () => {
    for (const check of [...watchers]) check();
  };

  const gone = new Promise<void>((resolve) => {
    // A child that never started only closes.
    for (const event of ["exit", "close"]) child.once(event, () => resolve());
  });
  const exited = new Promise<ChildExit>((resolve) => {
    child.once("close", (code, signal) => {
      exit = { code, signal };
      resolve(exit);
      changed();
    });
    child.once("error", (error) => {
      stderr += `${error.message}\n`;
    });
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.on("error", () => {}); // A killed child closes its pipe; `exited` tells.

  const tell = (message: unknown) => {
    if (child.stdin.writable) child.stdin.write(`${JSON.stringify(message)}\n`);
  };
  createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => {
    const message = protocolMessage(line);
    if (message === undefined) plainLines.push(line);
    else if (message.faultPoint === undefined) messages.push(message.value);
    else if (armed.has(message.faultPoint))
      standing.push({ name: message.faultPoint, ask: message.ask ?? 0 });
    else tell({ passed: message.ask });
    changed();
  });

  /** Resolves with what `find` finds as soon as it does; the child's end is the failure. */
  const until = <T>(what: string, find: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const check = () => {
        const found = find();
        if (found === undefined && exit === undefined) return;
        watchers.delete(check);
        if (found !== undefined) resolve(found);
        else reject(new Error(`the child exited (${exit?.code ?? exit?.signal}) before ${what}\n${stderr}`));
      };
      watchers.add(check);
      check();
    });

  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<ChildExit> => {
    child.kill(signal);
    return exited;
  };

  const spawned: SpawnedChild = {
    pid: child.pid ?? 0,
    messages,
    get stdout() {
      return plainLines.map((line) => `${line}\n`).join("");
    },
    get stderr() {
      return stderr;
    },
    exited,
    process: child,
    async receive<T>() {
      const mine = taken;
      taken += 1;
      const found = await until("its next message", () =>
        messages.length > mine ? { value: messages[mine] } : undefined,
      );
      return found.value as T;
    },
    waitForLine: (predicate = () => true) => until("that line", () => plainLines.find(predicate)),
    send: (value) => tell({ value }),
    arm: (name) => void armed.add(name),
    disarm: (name) => void armed.delete(name),
    async reached(name) {
      await until(`it reached ${name}`, () => standing.find((one) => one.name === name));
    },
    release(name) {
      const at = standing.findIndex((one) => one.name === name);
      const [one] = at < 0 ? [] : standing.splice(at, 1);
      if (!one) throw new Error(`the child does not stand at ${name}`);
      tell({ passed: one.ask });
    },
    kill,
    async [Symbol.asyncDispose]() {
      if (exit !== undefined) return;
      child.kill("SIGKILL");
      // The event loop reads what is in the pipes before it tells of an end.
      await gone;
      // A grandchild may hold the pipes open; nobody reads them any more.
      child.stdin.destroy();
      child.stdout.destroy();
      child.stderr.destroy();
      await exited;
    },
  };
  childStarted.publish(spawned);
  return spawned;
}

function environment(over: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  const merged: NodeJS.ProcessEnv = { ...process.env, ...over };
  for (const [name, value] of Object.entries(merged)) if (value === undefined) delete merged[name];
  return merged;
}

function protocolMessage(line: string): { value?: unknown; faultPoint?: string; ask?: number } | undefined {
  if (!line.startsWith('{"hawserChild":1,')) return undefined;
  return JSON.parse(line) as { value?: unknown; faultPoint?: string; ask?: number };
}
