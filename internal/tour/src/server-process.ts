import { type ChildProcess, spawn } from "node:child_process";
import readline from "node:readline";

export interface ServerProcessOptions {
  readonly name: string;
  /** Script and arguments for node. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Finds the address in a line the server prints when it is ready. */
  readonly readyLine: RegExp;
}

/** A server of ours in a process of its own. */
export class ServerProcess {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  private constructor(name: string, url: string, child: ChildProcess, exited: Promise<void>) {
    this.name = name;
    this.url = url;
    this.pid = child.pid ?? -1;
    this.#child = child;
    this.#exited = exited;
  }

  /** Resolves when the server has said where it listens; rejects with its last lines when it ends first. */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const { name, args, env, readyLine } = options;
    const child = spawn(process.execPath, args, { env, stdio: ["pipe", "pipe", "pipe"] });
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const said: string[] = [];
    const url = await new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        readline.createInterface({ input: stream }).on("line", (line) => {
          said.push(line);
          if (said.length > 40) said.shift();
          const ready = readyLine.exec(line);
          if (ready?.[1] !== undefined) resolve(ready[1]);
        });
      }
      child.once("error", reject);
      child.once("exit", (code) =>
        reject(new Error(`${name} ended with ${code} before it listened: ${said.join(" | ")}`)),
      );
    });
    return new ServerProcess(name, url, child, exited);
  }

  /** Ends at once, as a crash would. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  /** Asks it to end, and insists after five seconds. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const insist = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.#exited;
    clearTimeout(insist);
  }
}
