import { spawn } from "node:child_process";

/** One check: a command that exits 0 when it holds. */
export interface Step {
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
  /** Steps that must have passed first; when one failed, this one is not run. */
  readonly after?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Print the output of a passing run too. */
  readonly show?: boolean | undefined;
}

export interface StepResult {
  readonly name: string;
  readonly status: "passed" | "failed" | "not run";
  readonly output: string;
  readonly durationMs: number;
}

export interface RunStepsOptions {
  readonly root: string;
  /** Steps running at once. @defaultValue 2 */
  readonly maxConcurrent?: number | undefined;
  readonly onResult?: ((result: StepResult) => void) | undefined;
}

/** Runs every step as soon as what it comes after has passed, at most `maxConcurrent` at once. */
export async function runSteps(steps: readonly Step[], options: RunStepsOptions): Promise<StepResult[]> {
  const { root, maxConcurrent = 2, onResult } = options;
  const results = new Map<string, StepResult>();
  const waiting = [...steps];
  const running = new Map<string, Promise<void>>();

  const finish = (result: StepResult) => {
    results.set(result.name, result);
    onResult?.(result);
  };

  while (waiting.length > 0 || running.size > 0) {
    for (const step of [...waiting]) {
      const before = (step.after ?? []).map((name) => results.get(name)?.status);
      if (before.some((status) => status === "failed" || status === "not run")) {
        waiting.splice(waiting.indexOf(step), 1);
        finish({ name: step.name, status: "not run", output: "", durationMs: 0 });
      } else if (before.every((status) => status === "passed") && running.size < maxConcurrent) {
        waiting.splice(waiting.indexOf(step), 1);
        const work = runStep(step, root).then((result) => {
          running.delete(step.name);
          finish(result);
        });
        running.set(step.name, work);
      }
    }
    if (running.size > 0) await Promise.race(running.values());
    else if (waiting.some((step) => !(step.after ?? []).every((name) => results.has(name)))) {
      throw new Error(`steps wait for each other: ${waiting.map(({ name }) => name).join(", ")}`);
    }
  }
  return steps.map(({ name }) => results.get(name) as StepResult);
}

function runStep(step: Step, root: string): Promise<StepResult> {
  const [program, ...args] = step.command;
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...step.env },
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    let output = "";
    const end = (status: StepResult["status"]) =>
      resolve({ name: step.name, status, output, durationMs: performance.now() - startedMs });
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    child.on("error", (error) => {
      output += error.message;
      end("failed");
    });
    child.on("close", (code) => end(code === 0 ? "passed" : "failed"));
  });
}
