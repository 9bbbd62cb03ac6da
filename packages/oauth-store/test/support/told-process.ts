import { type SpawnedChild, spawnChild } from "@hawser/test-kit";
import type {
  CredentialEvent,
  CredentialExplanation,
  CredentialStatus,
  LogoutReport,
  OAuthCredential,
} from "../../src/index.ts";
import type { ToldAnswer, ToldOrder, ToldSetup } from "../children/told-child.ts";
import type { HomeSetting } from "./home-setting.ts";
import { KEY } from "./memory-setting.ts";
import { secretNet } from "./secret-net.ts";

const SCRIPT = new URL("../children/told-child.ts", import.meta.url);

interface ToldHandle {
  readonly accessToken: string;
  readonly lineage: string;
  readonly generation: number;
}

/** A call in the other process; `leave` is its caller giving up. */
type ToldCall<T> = Promise<T> & { leave(): Promise<unknown> };

/** A session of the setting's credential in another process. What it throws has `code` and `reason`. */
export interface ToldProcess extends AsyncDisposable {
  readonly child: SpawnedChild;
  readonly events: CredentialEvent[];
  /** Refresh tokens of what it revoked. */
  readonly revoked: (string | undefined)[];
  ensureFresh(): ToldCall<ToldHandle>;
  refresh(): ToldCall<ToldHandle>;
  recover(rejected: Pick<ToldHandle, "lineage" | "generation">): ToldCall<ToldHandle>;
  login(credential: OAuthCredential): ToldCall<ToldHandle>;
  logout(): ToldCall<LogoutReport>;
  status(): ToldCall<CredentialStatus<never>>;
  explain(): ToldCall<CredentialExplanation>;
  settle(): ToldCall<void>;
  close(): ToldCall<void>;
  advance(ms: number): ToldCall<void>;
  /** Resolves with the first event of that type, or the `count`th, also one that was told before. */
  told(type: CredentialEvent["type"], count?: number): Promise<CredentialEvent>;
}

/** `arm`: the points at which it stands still. */
export type ToldProcessOptions = Partial<ToldSetup> & { readonly arm?: readonly string[] };

export function toldProcess(
  { home, tokens }: Pick<HomeSetting, "home" | "tokens">,
  options: ToldProcessOptions = {},
): ToldProcess {
  const { arm, ...more } = options;
  const child = spawnChild({ script: SCRIPT, arm });
  const setup: ToldSetup = { home: home.path, key: KEY, tokenUrl: tokens.url, ...more };
  child.send(setup);
  const events: CredentialEvent[] = [];
  const revoked: (string | undefined)[] = [];
  const calls = new Map<number, PromiseWithResolvers<never>>();
  const listeners = new Set<() => void>();
  let orders = 0;
  let gone: Error | undefined;

  function order(given: ToldOrder): ToldCall<never> {
    orders += 1;
    const mine = orders;
    const call = Promise.withResolvers<never>();
    call.promise.catch(() => {}); // A process may be killed with calls that nobody waits for.
    calls.set(mine, call);
    if (gone) call.reject(gone);
    else child.send(given);
    const leave = () => order({ do: "leave", order: mine });
    return Object.assign(call.promise, { leave });
  }

  function take(answer: ToldAnswer): void {
    if ("event" in answer) {
      secretNet.show(answer.event);
      events.push(answer.event as CredentialEvent);
      for (const listener of [...listeners]) listener();
    } else if ("revoked" in answer) revoked.push(answer.revoked);
    else if ("got" in answer) calls.get(answer.to)?.resolve(answer.got as never);
    else calls.get(answer.to)?.reject(Object.assign(new Error("told to fail"), answer.failed));
  }

  const listening = (async () => {
    for (;;) take(await child.receive<ToldAnswer>());
  })().catch((error: unknown) => {
    gone = error instanceof Error ? error : new Error(String(error));
    for (const call of calls.values()) call.reject(gone);
  });

  return {
    child,
    events,
    revoked,
    ensureFresh: () => order({ do: "ensureFresh" }),
    refresh: () => order({ do: "refresh" }),
    recover: ({ lineage, generation }) => order({ do: "recover", rejected: { lineage, generation } }),
    login: (credential) => order({ do: "login", credential }),
    logout: () => order({ do: "logout" }),
    status: () => order({ do: "status" }),
    explain: () => order({ do: "explain" }),
    settle: () => order({ do: "settle" }),
    close: () => order({ do: "close" }),
    advance: (ms) => order({ do: "advance", ms }),
    async told(type, count = 1) {
      for (;;) {
        const event = events.filter((one) => one.type === type)[count - 1];
        if (event) return event;
        await new Promise<void>((resolve) => {
          const listener = () => {
            listeners.delete(listener);
            resolve();
          };
          listeners.add(listener);
        });
      }
    },
    async [Symbol.asyncDispose]() {
      await child.kill();
      await listening;
    },
  };
}
