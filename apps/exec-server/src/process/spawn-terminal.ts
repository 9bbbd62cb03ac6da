import { constants as fileModes } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type ChildRequest, type RunningChild, SpawnError } from "./running-child.ts";
import { spawnFailure } from "./spawn-failure.ts";

const COLUMNS = 80;
const ROWS = 24;

/** Starts a child on a terminal of its own, 24 rows of 80 columns. */
export async function spawnTerminal(request: ChildRequest): Promise<RunningChild> {
  const { argv, cwd, env, arg0 } = request;
  const [file, ...args] = argv;
  if (arg0 !== undefined) throw new SpawnError("arg0 is not supported together with tty");
  // The terminal starts whatever it is given; a file or directory that is not there would only show as an exit.
  await checkStartable(file, cwd, env);
  const { spawn } = await import("@lydell/node-pty");
  const terminal = spawn(file, args, {
    name: env["TERM"] ?? "xterm",
    cols: COLUMNS,
    rows: ROWS,
    cwd,
    env,
    encoding: null,
  });
  const output = new TerminalOutput({ pause: () => terminal.pause(), resume: () => terminal.resume() });
  terminal.onData((data: string | Buffer) => output.push(Buffer.from(data)));
  const exitCode = new Promise<number>((resolve) => {
    terminal.onExit(({ exitCode: code, signal }) => {
      output.end();
      resolve(signal ? 128 + signal : code);
    });
  });
  return {
    pid: terminal.pid,
    outputs: [["pty", output]],
    exitCode,
    write: async (bytes) => terminal.write(bytes as unknown as string),
  };
}

async function checkStartable(
  file: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  try {
    if (!(await stat(cwd)).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    await findExecutable(file, cwd, env["PATH"] ?? "/bin:/usr/bin");
  } catch (error) {
    throw new SpawnError(spawnFailure(error));
  }
}

async function findExecutable(file: string, cwd: string, path: string): Promise<void> {
  if (process.platform === "win32") return;
  const candidates = file.includes("/")
    ? [file.startsWith("/") ? file : join(cwd, file)]
    : path.split(delimiter).map((folder) => join(folder === "" ? cwd : folder, file));
  let failure: unknown = Object.assign(new Error(), { code: "ENOENT" });
  for (const candidate of candidates) {
    try {
      return await access(candidate, fileModes.X_OK);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** What a terminal pushes, for a reader that pulls: the terminal is paused while the reader is behind. */
class TerminalOutput implements AsyncIterable<Buffer> {
  readonly #source: { pause(): void; resume(): void };
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isPaused = false;
  #hasEnded = false;
  #wake: (() => void) | undefined;

  constructor(source: { pause(): void; resume(): void }) {
    this.#source = source;
  }

  push(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#bytes += bytes.byteLength;
    if (this.#bytes > MAX_UNREAD_BYTES && !this.#isPaused) {
      this.#isPaused = true;
      this.#source.pause();
    }
    this.#wake?.();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const pieces = this.#pieces;
      this.#pieces = [];
      this.#bytes = 0;
      yield* pieces;
      if (this.#pieces.length > 0) continue;
      if (this.#hasEnded) return;
      if (this.#isPaused) {
        this.#isPaused = false;
        this.#source.resume();
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
  }
}

const MAX_UNREAD_BYTES = 256 * 1024;
