import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { type ChildRequest, type RunningChild, SpawnError } from "./running-child.ts";
import { spawnFailure } from "./spawn-failure.ts";

/** Starts a child on pipes, as leader of its own process group. Its input is closed unless asked for. */
export async function spawnPiped(
  request: ChildRequest & { readonly pipeStdin: boolean },
): Promise<RunningChild> {
  const { argv, cwd, env, arg0, pipeStdin } = request;
  const [file, ...args] = argv;
  let child: ChildProcess;
  try {
    child = spawn(file, args, {
      cwd,
      env,
      ...(arg0 === undefined ? {} : { argv0: arg0 }),
      detached: true,
      stdio: [pipeStdin ? "pipe" : "ignore", "pipe", "pipe"],
    });
  } catch (error) {
    // A NUL in an argument, for one, is refused before anything starts.
    throw new SpawnError(spawnFailure(error));
  }
  const exitCode = new Promise<number>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new SpawnError(spawnFailure(error));
  }
  // After the start an error is about a signal that could not be sent; `exit` tells what became of the child.
  child.on("error", () => {});
  return {
    pid: child.pid ?? 0,
    outputs: [
      ["stdout", child.stdout as Readable],
      ["stderr", child.stderr as Readable],
    ],
    exitCode,
    write: child.stdin === null ? undefined : writer(child.stdin),
  };
}

function writer(stdin: Writable): (bytes: Buffer) => Promise<void> {
  stdin.on("error", () => {}); // A child that closed its input: the write is lost, as it is in a shell.
  return async (bytes) => {
    if (stdin.destroyed || stdin.write(bytes)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    stdin.once("drain", resolve);
    stdin.once("close", resolve);
    await promise;
    stdin.off("drain", resolve);
    stdin.off("close", resolve);
  };
}
