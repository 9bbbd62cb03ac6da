import { RpcError } from "@hawser/json-rpc";
import type { ManagedProcess } from "./managed-process.ts";

/** How long an exited process can still be read, and its id is taken. */
export const RETENTION_MS = 80_000;

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
    void started.exited.then(() => this.#forgetLater(processId));
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
