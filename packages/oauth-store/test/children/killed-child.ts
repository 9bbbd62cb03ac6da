// First: what is loaded after it is watched.
import "../support/step-log.ts";
import { readFileSync, writeFileSync } from "node:fs";
import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { type CredentialStore, createCredentialSession, type OAuthCredential } from "../../src/index.ts";
import { killKind } from "../support/kill-kind.ts";
import { editEntry, type KillStore, killStores, plainFileOf } from "../support/kill-stores.ts";
import { placeOf } from "../support/kill-work.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";
import { stepLog } from "../support/step-log.ts";
import type { Step } from "../support/steps.ts";

/** What is done in one home. */
export interface KillOrder {
  readonly home: string;
  readonly store: KillStore;
  readonly work:
    | "use"
    | "refresh"
    | "login"
    | "logout"
    /** A use whose save fails at first. */
    | "use, saved later"
    /** A use after which the store goes back, and a refresh that meets that. */
    | "use, then back"
    /** A use during which somebody else changes a member of the entry, after the claim. */
    | "use, and an edit";
  readonly credential?: OAuthCredential | undefined;
  /** The point at which it stands still for ever; `name#2` is the second of that name. @defaultValue none */
  readonly standsAt?: string | undefined;
}

export interface KillSetup {
  readonly key: string;
  readonly tokenUrl: string;
  /** Time stands still. */
  readonly nowMs: number;
  readonly orders: readonly KillOrder[];
}

/** The point at which an order stands, or what it went through until it was done. */
export type KillReport =
  | { readonly order: number; readonly stands: string }
  | { readonly order: number; readonly steps: readonly Step[] };

/** Carries out all its orders at once. */
const port = connectParent();
const { key, tokenUrl, nowMs, orders } = (await port.receive()) as KillSetup;
const open = killStores();
const send = loopbackGrant(tokenUrl);
const report = (what: KillReport) => port.send(what);
await Promise.all(orders.map(carryOut));
port.close();

async function carryOut(order: KillOrder, at: number): Promise<void> {
  const { home, store, work, credential, standsAt } = order;
  const file = plainFileOf(store, home);
  let steps: Step[] | undefined;
  const passed: string[] = [];
  let edited = false;
  let failures = work === "use, saved later" ? 1 : 0;
  const pass = async (name: string) => {
    if (!steps) return;
    steps.push({ is: "point", name });
    if (name === "claimed" && work === "use, and an edit" && !edited) editEntry(file);
    edited ||= name === "claimed";
    passed.push(name);
    if (standsAt !== undefined && placeOf(passed, standsAt) === passed.length - 1) {
      report({ order: at, stands: name });
      await new Promise(() => {});
    }
  };
  const inner = open(store, home);
  const failing: CredentialStore = {
    ...inner,
    update: async (...given) => {
      failures -= 1;
      if (failures >= 0) throw new Error("not now");
      return inner.update(...given);
    },
  };
  const session = createCredentialSession({
    kind: killKind,
    store: failing,
    key,
    home,
    random: () => 0,
    // What comes by itself would be a step at any time.
    clock: { wallMs: () => nowMs, monotonicMs: () => 0, after: () => () => {} },
    refreshGrant: async (input) => {
      steps?.push({ is: "change", name: "send" });
      const answer = await send(input);
      await pass("sent");
      return answer;
    },
    faultPoint: pass,
  });
  if (work === "use, then back") {
    const before = readFileSync(file);
    await session.ensureFresh();
    writeFileSync(file, before);
  }
  steps = stepLog.below(home);
  const doing = {
    use: () => session.ensureFresh(),
    "use, saved later": () => session.ensureFresh(),
    "use, and an edit": () => session.ensureFresh(),
    "use, then back": () => session.refresh(),
    refresh: () => session.refresh(),
    login: async () => credential && session.login(credential),
    logout: () => session.logout(),
  };
  // It may end in an error, which is what the next start is told of too.
  await doing[work]().catch(() => {});
  await session.settle();
  report({ order: at, steps });
}
