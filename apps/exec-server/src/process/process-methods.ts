import { type RpcContext, RpcError, type RpcMethod, rpcMethod } from "@hawser/json-rpc";
import { z } from "zod";
import { base64Bytes } from "../connection/base64-bytes.ts";
import { pathUri } from "../connection/path-uri.ts";
import type { Session } from "../connection/session.ts";
import { childEnvironment, environmentPolicy } from "./child-environment.ts";
import { ManagedProcess } from "./managed-process.ts";
import { type RunningChild, SpawnError } from "./running-child.ts";
import { spawnPiped } from "./spawn-piped.ts";
import { spawnTerminal } from "./spawn-terminal.ts";

const processName = z.string().max(1_024);

const startParams = z.object({
  processId: processName,
  argv: z.array(z.string()).min(1, "argv must not be empty"),
  cwd: pathUri,
  env: z.record(z.string(), z.string()),
  tty: z.boolean(),
  pipeStdin: z.boolean().nullish(),
  arg0: z.string().nullish(),
  envPolicy: environmentPolicy.nullish(),
  sandbox: z.unknown().optional(),
  enforceManagedNetwork: z.boolean().nullish(),
  managedNetwork: z.unknown().optional(),
  networkProxy: z.unknown().optional(),
});

const readParams = z.object({
  processId: processName,
  afterSeq: z.number().int().nonnegative().nullish(),
  maxBytes: z.number().int().nonnegative().nullish(),
  waitMs: z.number().int().nonnegative().nullish(),
});

const writeParams = z.object({
  processId: processName,
  chunk: base64Bytes,
  writeId: z.string().max(256).nullish(),
});

/** `setTimeout` cannot wait longer. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** `process/*` of a connection's session. `env` is this server's own environment. */
export function processMethods(options: {
  readonly session: () => Session;
  readonly env: Readonly<Record<string, string | undefined>>;
}): readonly (readonly [string, RpcMethod])[] {
  const { session, env } = options;
  return [
    [
      "process/start",
      rpcMethod({ params: startParams, handle: (params, context) => start(session(), env, params, context) }),
    ],
    [
      "process/read",
      rpcMethod({
        params: readParams,
        handle: ({ processId, afterSeq, maxBytes, waitMs }, { signal }) => {
          const known = session().processes.get(processId);
          if (known === undefined || known === "starting") throw unknownProcess(processId);
          return known.read({
            afterSeq: afterSeq ?? 0,
            maxBytes: maxBytes ?? Number.POSITIVE_INFINITY,
            waitMs: Math.min(waitMs ?? 0, MAX_WAIT_MS),
            signal,
          });
        },
      }),
    ],
    [
      "process/write",
      rpcMethod({
        params: writeParams,
        handle: async ({ processId, chunk, writeId }) => {
          const known = session().processes.get(processId);
          if (known === undefined) return { status: "unknownProcess" };
          if (known === "starting") return { status: "starting" };
          return { status: await known.write(chunk, writeId ?? undefined) };
        },
      }),
    ],
    [
      "process/signal",
      rpcMethod({
        params: z.object({ processId: processName, signal: z.literal("interrupt") }),
        handle: ({ processId }) => {
          const known = session().processes.get(processId);
          if (known !== undefined && known !== "starting") known.signal("SIGINT");
          return {};
        },
      }),
    ],
    [
      "process/terminate",
      rpcMethod({
        params: z.object({ processId: processName }),
        handle: ({ processId }) => {
          const known = session().processes.get(processId);
          return { running: known !== undefined && known !== "starting" && known.signal("SIGKILL") };
        },
      }),
    ],
  ];
}

async function start(
  session: Session,
  env: Readonly<Record<string, string | undefined>>,
  params: z.output<typeof startParams>,
  { afterReply }: RpcContext,
): Promise<unknown> {
  refuseSandbox(params);
  const { processId, cwd, tty, pipeStdin } = params;
  const request = {
    argv: params.argv as [string, ...string[]],
    cwd,
    env: childEnvironment(env, params.envPolicy, params.env),
    arg0: params.arg0 ?? undefined,
  };
  // Nothing of a process is told before its start was answered.
  const answered = Promise.withResolvers<void>();
  afterReply(answered.resolve);
  await session.processes.start(processId, async () => {
    const child = await spawned(() =>
      tty ? spawnTerminal(request) : spawnPiped({ ...request, pipeStdin: pipeStdin ?? false }),
    );
    return new ManagedProcess({ processId, child, emit: session.emit, begin: answered.promise });
  });
  return { processId, sandboxType: "none" };
}

async function spawned(spawn: () => Promise<RunningChild>): Promise<RunningChild> {
  try {
    return await spawn();
  } catch (error) {
    throw error instanceof SpawnError ? new RpcError(-32603, error.message) : error;
  }
}

/** This server has no sandbox. Running unconfined what was to be confined would be worse than not running it. */
function refuseSandbox(params: z.output<typeof startParams>): void {
  const { sandbox, enforceManagedNetwork, managedNetwork, networkProxy } = params;
  const asked = [sandbox, managedNetwork, networkProxy].some(
    (value) => value !== undefined && value !== null,
  );
  if (!asked && enforceManagedNetwork !== true) return;
  throw new RpcError(-32600, "sandboxed processes are not supported by this exec-server", {
    code: "ERR_EXEC_SERVER_SANDBOX_UNSUPPORTED",
  });
}

function unknownProcess(processId: string): RpcError {
  return new RpcError(-32600, `unknown process id ${processId}`);
}
