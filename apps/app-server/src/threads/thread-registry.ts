import { RpcError } from "@hawser/json-rpc";
import type { ClientConnection } from "../connections/client-connection.ts";
import { Thread, type ThreadOptions } from "./thread.ts";
import { isUuid } from "./uuid-v7.ts";

export interface ThreadRegistryOptions {
  /** Threads kept in memory; the one unused longest gives way. @defaultValue 1_000 */
  readonly maxThreads?: number | undefined;
}

/** Every loaded thread, by id. They live as long as the process: there is no file. */
export class ThreadRegistry {
  readonly #threads = new Map<string, Thread>();
  readonly #maxThreads: number;

  constructor(options: ThreadRegistryOptions = {}) {
    this.#maxThreads = options.maxThreads ?? 1_000;
  }

  create(options: ThreadOptions): Thread {
    if (this.#threads.size >= this.#maxThreads) this.#makeRoom();
    const thread = new Thread(options);
    this.#threads.set(thread.id, thread);
    return thread;
  }

  find(id: string): Thread | undefined {
    return this.#threads.get(id);
  }

  /** Throws the refusal that a client is told. */
  get(id: string): Thread {
    if (!isUuid(id)) throw new RpcError(-32600, `invalid thread id: ${id.slice(0, 80)}`);
    const thread = this.#threads.get(id);
    if (thread === undefined) throw new RpcError(-32600, `thread not found: ${id}`);
    return thread;
  }

  /** Newest first. */
  list(): Thread[] {
    return [...this.#threads.values()].sort((a, b) => b.updatedAtMs - a.updatedAtMs);
  }

  forget(connection: ClientConnection): void {
    for (const thread of this.#threads.values()) thread.unsubscribe(connection);
  }

  #makeRoom(): void {
    // The map keeps the order of creation, so the first unused one is the oldest.
    for (const thread of this.#threads.values()) {
      if (thread.activeTurn !== undefined || thread.isFollowed) continue;
      this.#threads.delete(thread.id);
      return;
    }
    throw new RpcError(-32001, "Server overloaded; retry later.", { codex_error_info: "server_overloaded" });
  }
}
