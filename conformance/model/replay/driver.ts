import { readSpendRecords, type SpendSummary } from "@hawser/oauth-store";
import { RESTARTED } from "../crash-steps.ts";
import type { Action, Place } from "../machine.ts";
import type { Scenario } from "../scenario.ts";
import {
  ASKED,
  BACKUP,
  CREDENTIALS,
  CURRENT,
  EXPIRED,
  FAMILY,
  FROZEN,
  GRACE,
  get,
  hasBit,
  hasFlag,
  of,
  PENDING,
  STORE,
  type State,
  UNSAVED,
  UNSAVED_NEXT,
} from "../state.ts";
import type { RunStep } from "../stepper.ts";
import { damageClaim, removeFromHome } from "./record-damage.ts";
import { SimulatedTime } from "./simulated-clock.ts";
import { simulatedKind } from "./simulated-kind.ts";
import { SimulatedKernel } from "./simulated-locks.ts";
import { KEY, type SimulatedMachine, SimulatedProcess } from "./simulated-process.ts";
import { json, SimulatedServer } from "./simulated-server.ts";
import { SimulatedStore } from "./simulated-store.ts";
import { placeOf } from "./walk.ts";

/** The fault points at which a process stands while the model has it in a place. */
const GATES: Readonly<Record<Place, readonly string[]>> = {
  idle: [],
  locking: ["lock"],
  flush: ["locked"],
  read: ["locked", "judged"],
  judge: ["judged"],
  claim: ["rehearsed"],
  recheck: ["claimed"],
  send: ["checked"],
  sent: ["grant"],
  answered: ["answered"],
  // A store that has moved already is not waited for.
  poll: ["poll", "locked"],
  commit: ["update"],
  settle: ["committed"],
  published: ["published"],
  "write-back": ["update"],
  waiting: ["pause"],
  "back-off": [],
  "held-elsewhere": [],
  saving: ["lock"],
  "logging-out": ["lock"],
  remove: ["locked"],
  wipe: ["removed"],
  revoke: ["revoke"],
};

const LONGEST_STEP_MS = 5000;
/** Longer than the first wait, and shorter than the second. */
const GRACE_MS = 5000;
const failed = (): Error => new Error("the disk is full");

/** Leads real sessions from one place of the model to the next. */
export class Driver {
  readonly server: SimulatedServer;
  readonly processes: SimulatedProcess[] = [];
  readonly #machine: SimulatedMachine;
  readonly #scenario: Scenario;
  readonly #all: SimulatedProcess[] = [];
  /** Refresh tokens that are on their way, also of the dead. */
  readonly #underWay: (string | undefined)[] = [];
  #foreign = 0;

  constructor(home: string, scenario: Scenario, first: State) {
    this.#scenario = scenario;
    this.server = new SimulatedServer(scenario);
    this.#machine = {
      home,
      time: new SimulatedTime(),
      kernel: new SimulatedKernel(scenario.lock),
      store: new SimulatedStore(),
      server: this.server,
      expired: new Set(),
      foreignWriters: (scenario.faults["foreign writer"] ?? 0) > 0,
    };
    this.#save(get(first, BACKUP));
  }

  process(number: number): SimulatedProcess {
    const found = this.processes[number];
    if (!found) throw new Error(`there is no process ${number}`);
    return found;
  }

  storedNumber(): number {
    const { entry } = this.#machine.store;
    return entry === undefined ? 0 : simulatedKind(new Set()).parse(entry).number;
  }

  /** Whether the server has revoked each login. */
  get revoked(): readonly boolean[] {
    return this.server.revoked;
  }

  /** All spend records, by the numbers of what was spent. */
  async records(): Promise<readonly SpendSummary[]> {
    return readSpendRecords({ home: this.#machine.home, key: KEY });
  }

  /** Brings home, store and sessions to where the scenario begins. */
  async prepare(first: State): Promise<void> {
    const { expired } = this.#machine;
    if (this.#scenario.history) {
      expired.add(get(first, BACKUP));
      const earlier = this.#start("P0");
      earlier.answerAtOnce = true;
      earlier.gates.open();
      await earlier.session.ensureFresh();
      await earlier.session.settle();
      this.server.presented.length = 0;
      this.#machine.time.advance(3_600_000);
    }
    for (let number = 0; number < this.#scenario.asks.length; number += 1) {
      const process = this.#start(`P${number + 1}`);
      this.processes.push(process);
      if (of(first, number, CURRENT) !== 0) await process.session.ensureFresh();
    }
    for (let number = 1; number <= CREDENTIALS; number += 1) {
      if (hasBit(first, EXPIRED, number)) expired.add(number);
    }
  }

  /** Makes one step of the model happen for real. */
  async take(step: RunStep): Promise<void> {
    const { action, process: number, after } = step;
    if (number >= this.processes.length) return this.#befall(step);
    const fails = await this.#act(step);
    const mayStandAtLock = of(after, number, UNSAVED) !== 0 || of(after, number, PENDING) !== 0;
    await this.#lead(number, placeOf(after, number), { fails, mayStandAtLock, action });
  }

  /** Lets everything that was begun run out, that of the killed processes included. */
  async end(): Promise<void> {
    for (const process of this.#all) process.abandon();
    for (let turns = 0; turns < 5; turns += 1) await turn();
  }

  #start(name: string): SimulatedProcess {
    const process = new SimulatedProcess(this.#machine, name);
    this.#all.push(process);
    return process;
  }

  #save(number: number): void {
    const { store } = this.#machine;
    store.entry = simulatedKind(new Set()).serialize(this.server.credential(number));
  }

  /** What concerns one process. Returns whether its next save fails. */
  async #act({ action, process: number, before, after }: RunStep): Promise<boolean> {
    const process = this.process(number);
    const { gates } = process;
    switch (action) {
      case "ask": {
        const asked = of(before, number, ASKED);
        process.begin(asked === RESTARTED ? "use" : (this.#scenario.asks[number]?.[asked] ?? "use"));
        return false;
      }
      case "read":
        if (gates.at === "locked") gates.release();
        return false;
      case "judge":
        if (gates.at !== undefined) gates.release();
        return false;
      case "log in":
        process.aside(() => process.session.login(this.server.credential(of(after, number, UNSAVED_NEXT))));
        return false;
      case "log out":
        process.aside(() => process.session.logout());
        return false;
      case "begin to save":
        if (placeOf(before, number) === "flush") gates.release();
        else if (gates.at !== "lock") process.aside(() => process.session.settle());
        return false;
      case "look again":
        this.#lookAgain(process, placeOf(before, number));
        return false;
      case "fail to save the login":
      case "fail to commit":
      case "fail to write back":
        gates.release(gates.at === "update" ? failed() : undefined);
        return true;
      case "fail to seal":
        process.failSeal = () => damageClaim(this.#machine.home, "body wiped");
        gates.release();
        return false;
      case "poll":
        if (gates.at !== "poll") return false;
        this.#machine.time.advance(6100);
        gates.release();
        return false;
      case "revoke":
        if (gates.at === "revoke") gates.release();
        return false;
      case "reject what was just published":
        if (process.handed) process.reject(process.handed);
        gates.release();
        return false;
      case "freeze":
        this.#machine.time.sleep(gates.name);
        return false;
      case "thaw":
        this.#machine.time.advance(2100); // A shorter sleep would not be noticed.
        this.#machine.time.wake(gates.name);
        return false;
      case "crash":
        this.#kill(number);
        return false;
      case "crash while sealing":
      case "crash after the body":
      case "crash in the header":
        await this.#tear(number, action);
        return false;
      default:
        if (!(await this.#network(action, number))) gates.release();
        return false;
    }
  }

  /** What the network does with what a process sent. False: it is no such action. */
  async #network(action: Action, number: number): Promise<boolean> {
    const process = this.process(number);
    const { request } = process;
    const sent = this.#underWay[number] ?? request?.refreshToken;
    const arrive = (answer: (refreshToken: string) => ReturnType<SimulatedServer["answer"]>): true => {
      this.#underWay[number] = undefined;
      if (sent === undefined) throw new Error("nothing is under way");
      const given = answer(sent);
      if (request) request.answered = given;
      return true;
    };
    switch (action) {
      case "server answers":
        return arrive((refreshToken) => this.server.answer(refreshToken));
      case "server answers for another":
        return arrive((refreshToken) => this.server.answerForAnother(refreshToken));
      case "server fails":
        return arrive(() => json(500, {}));
      case "server is busy":
        return arrive(() => json(429, {}));
      case "receive":
        process.settleGrant(request?.answered ?? { sent: "unknown", code: "nothing" });
        return true;
      case "lose the request":
      case "lose the answer":
      case "time out":
        this.#underWay[number] = action === "time out" ? sent : undefined;
        process.settleGrant({ sent: "unknown", code: "reset" });
        return true;
      case "fail to send":
        process.gates.release();
        await this.#arrive(process, ["grant"]);
        this.server.presented.pop();
        process.settleGrant({ sent: "no", code: "connect" });
        return true;
      default:
        return false;
    }
  }

  #lookAgain(process: SimulatedProcess, from: Place): void {
    const isPolling = from === "waiting" && process.gates.at === "pause";
    if (isPolling) this.#machine.time.advance(150);
    if (isPolling || from === "flush") process.gates.release();
    else if (from !== "idle") process.beginAgain();
  }

  #kill(number: number): void {
    const { request, gates } = this.process(number);
    if (request && request.answered === undefined) this.#underWay[number] = request.refreshToken;
    gates.kill();
    this.#machine.kernel.kill(gates.name);
    this.processes[number] = this.#start(`${gates.name}'`);
  }

  async #tear(number: number, how: Action): Promise<void> {
    const process = this.process(number);
    process.gates.release();
    await this.#arrive(process, ["seal/body-written"]);
    if (how === "crash while sealing") damageClaim(this.#machine.home, "body torn");
    if (how === "crash in the header") damageClaim(this.#machine.home, "header torn");
    this.#kill(number);
  }

  /** What happens to the machine, or to the store. */
  async #befall({ action, before, after }: RunStep): Promise<void> {
    const { home, time, expired } = this.#machine;
    switch (action) {
      case "store goes back":
        return this.#save(get(before, BACKUP));
      case "access token runs out":
        time.advance(2100); // What has just been issued is never taken for spent.
        expired.add(get(before, STORE));
        return;
      case "foreign writer spends":
        this.#foreign = this.server.redeem(this.server.credential(get(before, STORE)).refreshToken) ?? 0;
        return;
      case "foreign writer saves":
        return this.#save(this.#foreign);
      case "lock is removed":
        return removeFromHome(home, "locks");
      case "home is removed":
        return removeFromHome(home, "everything");
      case "lease ends":
        time.advance(61_000);
        for (const [number, { gates }] of this.processes.entries()) {
          if (hasFlag(before, number, FROZEN)) this.#machine.kernel.kill(gates.name);
        }
        return;
      case "back-off ends": {
        const waitMs = (await this.#endOfBackOff()) - time.nowMs;
        const endsGrace = ((get(before, FAMILY) ^ get(after, FAMILY)) & GRACE) !== 0;
        const isFirst = (await this.records()).every(({ attempt }) => attempt === 1);
        if (endsGrace && isFirst && waitMs <= GRACE_MS) {
          throw new Error("the wait is over within the server's grace");
        }
        // Later waits may be; but nobody has to come at once when one is over.
        time.advance(endsGrace ? Math.max(waitMs, GRACE_MS + 1) : waitMs);
        if (endsGrace) this.server.endGrace();
        else if (waitMs > GRACE_MS && (get(after, FAMILY) & GRACE) !== 0) {
          throw new Error("the wait is over when the server's grace is");
        }
        return;
      }
      default:
        throw new Error(`nothing real is known for: ${action}`);
    }
  }

  async #endOfBackOff(): Promise<number> {
    let endMs = this.#machine.time.nowMs;
    for (const record of await this.records()) {
      const { nextAtMs, claimedAtMs, failures, state } = record;
      const isWaiting = state === "unknown" || state === "deferred";
      if (isWaiting && nextAtMs !== undefined) endMs = Math.max(endMs, nextAtMs + 1);
      if (state === "claimed") endMs = Math.max(endMs, claimedAtMs + 2000 * 2 ** failures + 1);
    }
    return endMs;
  }

  /** Lets a process go on until it stands where the model has it. */
  async #lead(
    number: number,
    place: Place,
    how: { fails: boolean; mayStandAtLock: boolean; action: Action },
  ): Promise<void> {
    const process = this.process(number);
    const wanted = GATES[place];
    const isRest = wanted.length === 0;
    if (how.action.startsWith("server ") || how.action === "freeze" || how.action === "thaw") return;
    for (let gates = 0; gates < 40; gates += 1) {
      const reached = await this.#arrive(process, undefined);
      if (reached === undefined) {
        // Where nothing is stored the engine judges at once; what is not there is not revoked.
        if (isRest || place === "revoke" || place === "judge") return;
        // A flight that has polled for a minute ends; its caller comes again.
        if (place === "waiting" && process.ask.is === "again") return;
        if (place === "locking" && process.ask.is === "again") {
          process.beginAgain();
          continue;
        }
        throw new Error(`${process.gates.name} is done, and should be at ${wanted.join(" or ")}`);
      }
      if (wanted.includes(reached)) return;
      if (isRest && reached === "lock" && how.mayStandAtLock) return;
      if (STOPS.has(reached)) {
        throw new Error(
          `${process.gates.name} is at ${reached}, and should be at ${wanted.join(" or ") || "rest"}`,
        );
      }
      process.gates.release(how.fails && reached === "update" ? failed() : undefined);
    }
    throw new Error(`${process.gates.name} passes one gate after another`);
  }

  /** Where the process stands next; undefined when it is at rest. */
  async #arrive(
    process: SimulatedProcess,
    wanted: readonly string[] | undefined,
  ): Promise<string | undefined> {
    const untilMs = performance.now() + LONGEST_STEP_MS;
    for (;;) {
      const { gates } = process;
      if (gates.at !== undefined && (!wanted || wanted.includes(gates.at))) return gates.at;
      if (gates.at !== undefined) gates.release();
      const isIdle = process.isResting && !this.#machine.kernel.isHolding(gates.name);
      if (!wanted && isIdle) {
        // What ended may have something right behind it.
        await turn();
        if (gates.at === undefined && process.isResting) return undefined;
      }
      if (performance.now() > untilMs) throw new Error(`${gates.name} arrives nowhere`);
      await turn();
    }
  }
}

/** Places that are never passed by on the way to another. */
const STOPS: ReadonlySet<string> = new Set(["lock", "grant", "rehearsed", "claimed"]);

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
