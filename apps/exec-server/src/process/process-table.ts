import { RpcError } from "@hawser/json-rpc";
import type { ManagedProcess } from "./managed-process.ts";

/** How long a process that has ended can still be read, and its id is taken. */
const RETENTION_MS = 80_000;
const MAX_PROCESSES = 4_096;

/** The processes of one session, by the client's names for them. */
export class ProcessTable {
  readonly #processes = new Map<string, ManagedProcess | "starting">();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isClosed = false;

  get(processId: string): ManagedProcess | "starting" | undefined {
    return this.#processes.get(processId);
  }

  /** Starts a process under an id that is free. A failed start leaves it free. */
  async start(processId: string, start: () => Promise<ManagedProcess>): Promise<ManagedProcess> {
    if (this.#processes.has(processId)) throw new RpcError(-32600, `process ${processId} already exists`);
    if (this.#processes.size >= MAX_PROCESSES) {
      throw new RpcError(-32603, `this session has ${MAX_PROCESSES} processes already`);
    }
    this.#processes.set(processId, "starting");
    let started: ManagedProcess;
    try {
      started = await start();
    } catch (error) {
      this.#processes.delete(processId);
      throw error;
    }
    this.#processes.set(processId, started);
    // The session ended while it was starting: nobody else will end it.
    if (this.#isClosed) started.signal("SIGKILL");
    // Not before it is closed: until then somebody of its group may have to be killed.
    void started.closed.then(() => this.#forgetLater(processId));
    return started;
  }

  /** Kills every group at once. Whatever starts afterwards is killed as well. */
  killAll(): void {
    this.#isClosed = true;
    for (const process of this.#processes.values()) if (process !== "starting") process.signal("SIGKILL");
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #forgetLater(processId: string): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#processes.delete(processId);
    }, RETENTION_MS).unref();
    this.#timers.add(timer);
  }
}
