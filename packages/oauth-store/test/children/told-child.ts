import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import {
  type CredentialHandle,
  createCredentialSession,
  isCredentialError,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
} from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";
import { uselessLocks } from "../support/useless-locks.ts";
import { virtualClock } from "../support/virtual-clock.ts";

export interface ToldSetup {
  readonly home: string;
  readonly key: string;
  readonly tokenUrl: string;
  /** Locks that exclude nobody. */
  readonly withoutLocks?: boolean | undefined;
  /** Time stands still until it is told to advance. */
  readonly stillSinceMs?: number | undefined;
}

type Generation = Pick<CredentialHandle<unknown>, "lineage" | "generation">;

export type ToldOrder =
  | { readonly do: "ensureFresh" | "refresh" | "logout" | "status" | "explain" | "settle" | "close" }
  | { readonly do: "recover"; readonly rejected: Generation }
  | { readonly do: "login"; readonly credential: OAuthCredential }
  | { readonly do: "advance"; readonly ms: number }
  /** The caller of that order gives up. */
  | { readonly do: "leave"; readonly order: number };

export type ToldAnswer =
  | { readonly to: number; readonly got: unknown }
  | { readonly to: number; readonly failed: { readonly code: string; readonly reason?: string | undefined } }
  | { readonly event: unknown }
  | { readonly revoked: string | undefined };

/** One process with one session that does what it is told, each order as it comes, and tells of every event. */
const port = connectParent();
const { home, key, tokenUrl, withoutLocks, stillSinceMs } = (await port.receive()) as ToldSetup;
const clock = stillSinceMs === undefined ? undefined : virtualClock(stillSinceMs);
const locks = withoutLocks ? uselessLocks : undefined;
const callers = new Map<number, AbortController>();
const say = (answer: ToldAnswer) => port.send(answer);
const session = createCredentialSession<OAuthCredential, OAuthView>({
  kind: oauthCredential,
  store: fileStore(home, locks),
  key,
  home,
  locks,
  clock,
  refreshGrant: loopbackGrant(tokenUrl),
  revoke: async ({ refreshToken }) => say({ revoked: refreshToken }),
  random: () => 0,
  faultPoint: (name) => port.faultPoint(name),
});
session.onEvent((event) => say({ event }));

const shown = ({ view, lineage, generation }: CredentialHandle<OAuthView>) => ({
  accessToken: view.accessToken,
  lineage,
  generation,
});

async function obey(order: ToldOrder, signal: AbortSignal): Promise<unknown> {
  switch (order.do) {
    case "ensureFresh":
      return shown(await session.ensureFresh({ signal }));
    case "refresh":
      return shown(await session.refresh({ signal }));
    case "recover":
      // What a handle is told apart by; its view is for whoever sends it.
      return shown(await session.recover({ ...order.rejected, view: undefined } as never, { signal }));
    case "login":
      return shown(await session.login(order.credential));
    case "logout":
      return session.logout();
    case "status": {
      const { handle, ...rest } = await session.status();
      return { ...rest, handle: handle && shown(handle) };
    }
    case "explain":
      return session.explain();
    case "settle":
      return session.settle();
    case "close":
      return session[Symbol.asyncDispose]();
    case "advance":
      return clock?.advance(order.ms);
    case "leave":
      return callers.get(order.order)?.abort(new Error("gave up"));
  }
}

for (let at = 1; ; at += 1) {
  const order = (await port.receive()) as ToldOrder | "end";
  if (order === "end") break;
  const to = at;
  const caller = new AbortController();
  callers.set(to, caller);
  void obey(order, caller.signal).then(
    (got) => say({ to, got: got ?? null }),
    (error: unknown) =>
      say({
        to,
        failed: isCredentialError(error)
          ? { code: error.code, reason: error.reason }
          : { code: error instanceof Error ? error.message : String(error) },
      }),
  );
}
port.close();
