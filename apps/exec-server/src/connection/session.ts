import { randomUUID } from "node:crypto";
import { RpcError, type RpcPeer } from "@hawser/json-rpc";
import type { Emit } from "../process/managed-process.ts";
import { ProcessTable } from "../process/process-table.ts";

/** How long a session outlives its connection. */
const DETACHED_MS = 80_000;

/** Detached sessions kept; above it the one detached longest ends early. */
const MAX_DETACHED = 1_024;

/** What survives a lost connection: the processes, and where their notifications go. */
export class Session {
  readonly id: string = randomUUID();
  readonly processes = new ProcessTable();
  #owner: RpcPeer | undefined;
  #listener: RpcPeer | undefined;

  /** Takes the session for one connection. Its notifications begin with `listen`. */
  claim(peer: RpcPeer): void {
    if (this.#owner !== undefined) {
      throw new RpcError(-32010, `session ${this.id} is attached to another connection`);
    }
    this.#owner = peer;
  }

  listen(peer: RpcPeer): void {
    if (this.#owner === peer) this.#listener = peer;
  }

  detach(peer: RpcPeer): void {
    if (this.#owner !== peer) return;
    this.#owner = undefined;
    this.#listener = undefined;
  }

  /** Nobody attached: the notification is gone, the output is kept for `process/read`. */
  readonly emit: Emit = async (method, params) => {
    // The connection may go while it is slow; whoever comes next reads what it missed.
    await this.#listener?.notify(method, params).catch(() => {});
  };
}

/** The sessions of this server, attached or lately so. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #expiry = new Map<Session, NodeJS.Timeout>();

  /** A new session, or the one to resume. Throws when that is unknown or taken. */
  attach(peer: RpcPeer, resumeSessionId: string | undefined): Session {
    const session = resumeSessionId === undefined ? this.#create() : this.#sessions.get(resumeSessionId);
    if (session === undefined) {
      throw new RpcError(-32600, `unknown session id ${resumeSessionId}`, {
        code: "ERR_EXEC_SERVER_UNKNOWN_SESSION",
      });
    }
    session.claim(peer);
    clearTimeout(this.#expiry.get(session));
    this.#expiry.delete(session);
    return session;
  }

  /** The connection went. Its processes go on for a while, in case it comes back. */
  detach(session: Session, peer: RpcPeer): void {
    session.detach(peer);
    const timer = setTimeout(() => this.#end(session), DETACHED_MS).unref();
    this.#expiry.set(session, timer);
    const [oldest] = this.#expiry.keys();
    if (oldest !== undefined && this.#expiry.size > MAX_DETACHED) this.#end(oldest);
  }

  /** Ends every session: all processes are killed. */
  close(): void {
    for (const session of [...this.#sessions.values()]) this.#end(session);
  }

  #create(): Session {
    const session = new Session();
    this.#sessions.set(session.id, session);
    return session;
  }

  #end(session: Session): void {
    clearTimeout(this.#expiry.get(session));
    this.#expiry.delete(session);
    this.#sessions.delete(session.id);
    session.processes.killAll();
  }
}
