import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { CredentialError } from "./errors.ts";
import type { KeyringEntry, KeyringProvider } from "./keyring-provider.ts";
import { oneAtATime } from "./one-at-a-time.ts";

interface Reply {
  readonly id: number;
  readonly value?: string | boolean | null;
  readonly failure?: string;
  /** The package is there and cannot be loaded: its binary for this platform is not. */
  readonly missing?: boolean;
}

/**
 * The operating system's keyring: Keychain, Credential Manager, on Linux always the Secret Service, never the
 * kernel's keyring, which forgets. Needs the package `@napi-rs/keyring`, which is loaded at the first use, in a
 * thread of its own: a desktop that does not answer would else stop the event loop. A process that is told to end
 * while an unlock prompt is up ends when the prompt does. Without the package every call throws
 * `ERR_OAUTH_STORE_KEYRING_MISSING`.
 */
export function systemKeyring(): KeyringProvider {
  let thread: KeyringThread | undefined;
  const inTurn = oneAtATime();
  const ask = (operation: string, service: string, account: string, secret?: string) =>
    inTurn(() => {
      if (!thread?.isAlive()) thread = startThread();
      return thread.ask({ operation, service, account, secret });
    });
  return Object.freeze({
    entry: (service: string, account: string): KeyringEntry =>
      Object.freeze({
        async get() {
          const value = await ask("get", service, account);
          return typeof value === "string" ? value : undefined;
        },
        async set(secret: string) {
          await ask("set", service, account, secret);
        },
        async remove() {
          return (await ask("remove", service, account)) === true;
        },
      }),
  });
}

interface KeyringCall {
  readonly operation: string;
  readonly service: string;
  readonly account: string;
  readonly secret: string | undefined;
}

interface KeyringThread {
  isAlive(): boolean;
  ask(call: KeyringCall): Promise<Reply["value"]>;
}

/**
 * On Linux each call opens a connection to the session bus, which is closed only when the thread ends, and the bus
 * has room for a few hundred of all programs together.
 */
const CALLS_PER_THREAD = 16;
const IDLE_MS = 1000;

function startThread(): KeyringThread {
  const worker = new Worker(PROGRAM, { eval: true, workerData: locate(), stdout: true, stderr: true });
  const waiting = new Map<number, (reply: Reply) => void>();
  let alive = true;
  let calls = 0;
  let idle: NodeJS.Timeout | undefined;
  const end = () => {
    alive = false;
    for (const [id, answer] of [...waiting]) answer({ id, failure: "the thread has ended" });
  };
  worker.unref();
  worker.on("message", (reply: Reply) => waiting.get(reply.id)?.(reply));
  worker.on("error", end);
  worker.on("exit", end);
  /** Nobody waits for it now. */
  const rest = () => {
    worker.unref();
    const leave = () => {
      alive = false;
      void worker.terminate();
    };
    if (calls >= CALLS_PER_THREAD) leave();
    // Not left to the collector, which may come much later.
    else idle = setTimeout(leave, IDLE_MS).unref();
  };
  return {
    isAlive: () => alive,
    ask(call) {
      clearTimeout(idle);
      calls += 1;
      const id = calls;
      // While something is asked for, the process stays: a save must not end halfway.
      worker.ref();
      return new Promise((resolve, reject) => {
        waiting.set(id, ({ value, failure, missing = false }) => {
          waiting.delete(id);
          if (waiting.size === 0) rest();
          if (failure === undefined) resolve(value);
          else reject(missing ? notInstalled() : new Error(failure));
        });
        worker.postMessage({ id, ...call });
      });
    },
  };
}

function locate(): string {
  try {
    const require = createRequire(import.meta.url);
    return require.resolve("@napi-rs/keyring");
  } catch {
    throw notInstalled();
  }
}

function notInstalled(): CredentialError {
  return new CredentialError(
    "ERR_OAUTH_STORE_KEYRING_MISSING",
    "the keyring needs the package @napi-rs/keyring: install it (it is an optional peer dependency) or use another store",
  );
}

/**
 * What the thread runs. The library's synchronous calls: its asynchronous ones take a thread of the pool that files
 * are read with, and four unlock prompts would stop all file work; making an entry blocks in either case.
 */
const PROGRAM = `
const { parentPort, workerData } = require("node:worker_threads");
let Entry;
parentPort.on("message", ({ id, operation, service, account, secret }) => {
  try {
    Entry ??= require(workerData).Entry;
  } catch {
    return parentPort.postMessage({ id, failure: "not loaded", missing: true });
  }
  try {
    const entry = new Entry(service, account, { linux: { store: "secret-service" } });
    let value = null;
    if (operation === "get") value = entry.getPassword();
    else if (operation === "set") entry.setPassword(secret);
    else value = entry.deleteCredential();
    parentPort.postMessage({ id, value });
  } catch (error) {
    parentPort.postMessage({ id, failure: String(error && error.message) });
  }
});
`;
