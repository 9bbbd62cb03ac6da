import {
  type CredentialHandle,
  type CredentialSession,
  createCredentialSession,
  isCredentialError,
  type RefreshGrantAnswer,
} from "@hawser/oauth-store";
import type { Result } from "../machine.ts";
import type { Ask } from "../scenario.ts";
import { Gates } from "./gates.ts";
import type { SimulatedTime } from "./simulated-clock.ts";
import { type NamedCredential, simulatedKind } from "./simulated-kind.ts";
import type { SimulatedKernel } from "./simulated-locks.ts";
import type { SimulatedServer } from "./simulated-server.ts";
import type { SimulatedStore } from "./simulated-store.ts";

/** What all processes of a replay share. */
export interface SimulatedMachine {
  readonly home: string;
  readonly time: SimulatedTime;
  readonly kernel: SimulatedKernel;
  readonly store: SimulatedStore;
  readonly server: SimulatedServer;
  readonly expired: Set<number>;
  readonly foreignWriters: boolean;
}

export const KEY = "model|0000000000000000";

/** How an ask stands: under way, over, or to be made again. */
export type AskState =
  | { readonly is: "running" | "again" }
  | { readonly is: "over"; readonly result: Result };

/** One process: a real session whose every step waits for the driver. */
export class SimulatedProcess {
  readonly gates: Gates;
  readonly session: CredentialSession<NamedCredential, number>;
  /** No driver: the server's own answer comes at once. */
  answerAtOnce = false;
  /** Set where a step of the session shall fail. */
  failSeal: (() => void) | undefined;
  request: { readonly refreshToken: string; answered: RefreshGrantAnswer | undefined } | undefined;
  ask: AskState = { is: "over", result: "none" };
  /** What was handed out last. */
  handed: CredentialHandle<number> | undefined;
  #again: (() => Promise<CredentialHandle<number>>) | undefined;
  #grant = Promise.withResolvers<RefreshGrantAnswer>();
  #busy = 0;

  constructor(machine: SimulatedMachine, name: string) {
    const { home, time, kernel, store, server, expired, foreignWriters } = machine;
    this.gates = new Gates(name);
    this.session = createCredentialSession({
      kind: simulatedKind(expired),
      store: store.storeOf(this.gates),
      key: KEY,
      home,
      locks: kernel.locksOf(name, this.gates),
      clock: time.clockOf(this.gates),
      random: () => 0.999,
      foreignWriters,
      refreshGrant: async ({ refreshToken, credential }) => {
        server.presented.push(credential.number);
        if (this.answerAtOnce) return server.answer(refreshToken);
        this.request = { refreshToken, answered: undefined };
        this.#grant = Promise.withResolvers();
        await this.gates.reach("grant");
        return this.#grant.promise;
      },
      revoke: async ({ refreshToken }) => {
        await this.gates.reach("revoke");
        server.revoke(refreshToken);
      },
      faultPoint: async (point) => {
        if (point === "seal/body-written" && this.failSeal) {
          this.failSeal();
          this.failSeal = undefined;
          throw new Error("the record cannot be written");
        }
        await this.gates.reach(point);
      },
    });
  }

  /** The network's word on what was sent. The process goes on from its send. */
  settleGrant(answer: RefreshGrantAnswer): void {
    this.request = undefined;
    this.#grant.resolve(answer);
    this.gates.release();
  }

  /** A caller comes. */
  begin(what: Ask): void {
    const { session } = this;
    const held = session.snapshot();
    if (what === "use" || !held) this.#run(() => session.ensureFresh());
    else if (what === "reject") this.#run(() => session.recover(held));
    else this.#run(() => session.refresh());
  }

  reject(held: CredentialHandle<number>): void {
    this.#run(() => this.session.recover(held));
  }

  /** The same caller comes again. */
  beginAgain(): void {
    if (!this.#again) throw new Error(`${this.gates.name} was never asked`);
    this.#run(this.#again);
  }

  /** Work beside the asks: saving, logging in or out. */
  aside(work: () => Promise<unknown>): void {
    this.#busy += 1;
    const done = () => {
      this.#busy -= 1;
    };
    work().then(done, done);
  }

  /** Whether nothing that was begun is under way. */
  get isResting(): boolean {
    return this.#busy === 0 && this.ask.is !== "running";
  }

  /** The replay is over: whatever is under way fails, and ends. */
  abandon(): void {
    this.#grant.resolve({ sent: "unknown", code: "over" });
    this.gates.abandon();
  }

  #run(ask: () => Promise<CredentialHandle<number>>): void {
    this.#again = ask;
    this.ask = { is: "running" };
    ask().then(
      (handle) => {
        this.handed = handle;
        this.ask = { is: "over", result: "handle" };
      },
      (error: unknown) => {
        this.ask = stateOf(error);
      },
    );
  }
}

function stateOf(error: unknown): AskState {
  if (!isCredentialError(error)) throw error;
  switch (error.code) {
    case "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED":
      return { is: "over", result: error.reason === "absent" ? "absent" : "overtaken" };
    case "ERR_OAUTH_STORE_REFUSED":
      return { is: "over", result: "refused" };
    case "ERR_OAUTH_STORE_INTERRUPTED":
      return { is: "over", result: "interrupted" };
    case "ERR_OAUTH_STORE_SUPERSEDED":
      return { is: "over", result: "superseded" };
    case "ERR_OAUTH_STORE_WRONG_OWNER":
      return { is: "over", result: "wrong-owner" };
    case "ERR_OAUTH_STORE_REPLACED":
      return { is: "over", result: "replaced" };
    default:
      return { is: "again" };
  }
}
