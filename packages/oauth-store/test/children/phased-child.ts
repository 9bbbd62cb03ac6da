import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createCredentialSession, oauthCredential } from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";

export interface PhasedSetup {
  readonly homes: readonly string[];
  readonly key: string;
  readonly tokenUrl: string;
  /** Used before anything else, as by a process that has been running for a while. */
  readonly warmUp: string;
}

/** The word of the parent. `withinMs`: each answer is handed over at a moment of its own within so long. */
export interface PhasedStart {
  readonly withinMs?: number | undefined;
}

/** How long it took from an answer to the end; a point that a session has passed; or all answers are handed over. */
export type PhasedReport =
  | { readonly tookMs: number }
  | { readonly at: number; readonly point: string }
  | "handed over";

/** Refreshes in all homes at the word of the parent, and tells of every point. */
const port = connectParent();
const { homes, key, tokenUrl, warmUp } = (await port.receive()) as PhasedSetup;
const tell = (report: PhasedReport) => port.send(report);
const send = loopbackGrant(tokenUrl);

let answeredMs = 0;
await use(warmUp, (point) => {
  if (point === "answered") answeredMs = performance.now();
});
tell({ tookMs: performance.now() - answeredMs });

const { withinMs } = (await port.receive()) as PhasedStart;
const here = Promise.withResolvers<void>();
let expected = homes.length;
await Promise.all(homes.map((home, at) => use(home, (point) => tell({ at, point }), handOver)));

async function use(
  home: string,
  faultPoint: (point: string) => void,
  receive: <T>(answer: T) => T | Promise<T> = (answer) => answer,
): Promise<void> {
  const session = createCredentialSession({
    kind: oauthCredential,
    store: fileStore(home),
    key,
    home,
    random: () => 0,
    refreshGrant: async (input) => receive(await send(input)),
    faultPoint,
  });
  await session.ensureFresh();
  await session[Symbol.asyncDispose]();
}

async function handOver<T>(answer: T): Promise<T> {
  if (withinMs === undefined) return answer;
  expected -= 1;
  if (expected === 0) {
    here.resolve();
    // A turn later than the last of them, which is earlier than this.
    setTimeout(() => setImmediate(() => tell("handed over")), withinMs);
  }
  // What goes before takes each its own time: here they meet.
  await here.promise;
  await new Promise((resolve) => setTimeout(resolve, Math.random() * withinMs));
  return answer;
}
