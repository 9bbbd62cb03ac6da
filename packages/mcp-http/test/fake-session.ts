import type { CredentialHandle, WaitOptions } from "@hawser/oauth-store";
import type { BearerSource, BearerView } from "../src/index.ts";

export interface FakeSession extends BearerSource {
  /** How many refreshes were sent. */
  readonly refreshes: number;
  /** Called for each refresh; what it throws is the refresh's failure. */
  onRefresh: () => void | Promise<void>;
  /** Called before a token is handed out. */
  onEnsureFresh: () => void | Promise<void>;
  /** Nobody is logged in. */
  logout(): void;
}

/** A login whose tokens are A, B, C …; one refresh at a time, adoption by generation. */
export function fakeSession(tokens: readonly string[] = ["A", "B", "C", "D"]): FakeSession {
  let generation = 0;
  let refreshes = 0;
  let loggedIn = true;
  let flight: Promise<void> | undefined;
  const handle = (): CredentialHandle<BearerView> => ({
    view: { accessToken: tokens[generation] ?? "used-up" },
    lineage: "lineage",
    generation,
  });
  const refresh = async () => {
    refreshes += 1;
    await session.onRefresh();
    generation += 1;
  };
  const session: FakeSession = {
    onRefresh: () => {},
    onEnsureFresh: () => {},
    get refreshes() {
      return refreshes;
    },
    logout: () => {
      loggedIn = false;
    },
    snapshot: () => (loggedIn ? handle() : undefined),
    async ensureFresh() {
      await session.onEnsureFresh();
      if (!loggedIn) throw storeError("ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED");
      return handle();
    },
    async recover(rejected, options) {
      if (!loggedIn) throw storeError("ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED");
      if (rejected.generation !== generation) return handle();
      flight ??= refresh().finally(() => {
        flight = undefined;
      });
      await waitFor(flight, options);
      return handle();
    },
  };
  return session;
}

export function storeError(code: string, details: object = {}): Error {
  return Object.assign(new Error("the store says no"), {
    name: "CredentialError",
    code,
    retry: "never",
    ...details,
  });
}

async function waitFor(work: Promise<void>, { signal }: WaitOptions = {}): Promise<void> {
  work.catch(() => {});
  if (signal === undefined) return work;
  signal.throwIfAborted();
  const gaveUp = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => gaveUp.reject(signal.reason), { once: true });
  return Promise.race([work, gaveUp.promise]);
}
