import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SpawnedChild, spawnChild } from "@hawser/test-kit";

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly child: SpawnedChild;
}

/** Starts the real server from its sources on a free port. Disposal is a shutdown, so that its children end. */
export async function startServer(
  args: readonly string[] = ["--insecure-no-auth"],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<TestServer> {
  const child = spawnServer(["--listen", "ws://127.0.0.1:0", ...args], env);
  const url = await child.waitForLine();
  return {
    url,
    port: Number(new URL(url).port),
    child,
    async [Symbol.asyncDispose]() {
      await child.kill("SIGTERM");
    },
  };
}

export function spawnServer(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): SpawnedChild {
  // The sources are stripped of their types once for all children; the cache is keyed by content.
  const cached = { NODE_COMPILE_CACHE: join(tmpdir(), "hawser-compile-cache"), ...env };
  return spawnChild({ script: new URL("../../src/main.ts", import.meta.url), args, env: cached });
}
