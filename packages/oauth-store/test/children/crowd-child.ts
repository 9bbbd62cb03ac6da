import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import {
  type CredentialSession,
  createCredentialSession,
  isCredentialError,
  type LockProvider,
  type OAuthCredential,
  type OAuthView,
  oauthCredential,
} from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";
import { uselessLocks } from "../support/useless-locks.ts";

/** One of the homes this process has a session in. */
export interface CrowdHome {
  readonly home: string;
  /** The point at which it says so and stands still for ever. */
  readonly stopAt?: string | undefined;
  readonly work?: "use" | "logout" | "login" | undefined;
  readonly credential?: OAuthCredential | undefined;
}

export interface CrowdSetup {
  readonly homes: readonly CrowdHome[];
  readonly key: string;
  readonly tokenUrl: string;
  /** In each home. */
  readonly callers: number;
  /**
   * All answers are kept until the last is here, and then handed over together. The parent is told when the event loop
   * has turned since.
   */
  readonly answersMeet?: boolean | undefined;
  /** Used once before anything else, as a process does that has been running for a while. */
  readonly warmUp?: string | undefined;
}

/** Sessions in any number of homes; works through one round at each word of the parent, until that says `end`. */
const port = connectParent();
const setup = (await port.receive()) as CrowdSetup;
const { homes, key, tokenUrl, callers, answersMeet, warmUp } = setup;
let locks: LockProvider | undefined;
let expected = homes.length;
const met = Promise.withResolvers<void>();
const send = loopbackGrant(tokenUrl);
const sendAndMeet: typeof send = async (input) => {
  const answer = await send(input);
  expected -= 1;
  if (expected === 0) {
    setImmediate(() => port.send("met"));
    met.resolve();
  }
  await met.promise;
  return answer;
};

function open({ home, stopAt }: CrowdHome): CredentialSession<OAuthCredential, OAuthView> {
  return createCredentialSession({
    kind: oauthCredential,
    store: fileStore(home, locks),
    key,
    home,
    locks,
    refreshGrant: answersMeet && home !== warmUp ? sendAndMeet : send,
    random: () => 0,
    faultPoint: async (name) => {
      if (name !== stopAt) return;
      port.send("standing");
      await new Promise(() => {});
    },
  });
}

async function round(one: CrowdHome): Promise<unknown[]> {
  const session = open(one);
  const said = (error: unknown) => ({ code: isCredentialError(error) ? error.code : String(error) });
  const use = () => session.ensureFresh().then(({ view }) => ({ accessToken: view.accessToken }), said);
  const work =
    one.work === "logout"
      ? [session.logout().then(() => ({ done: true }), said)]
      : one.work === "login" && one.credential
        ? [session.login(one.credential).then(() => ({ done: true }), said)]
        : Array.from({ length: callers }, use);
  const results = await Promise.all(work);
  await session[Symbol.asyncDispose]();
  return results;
}

if (warmUp !== undefined) await round({ home: warmUp });
port.send("ready");
for (;;) {
  const word = await port.receive();
  if (word === "end") break;
  locks = word === "go without locks" ? uselessLocks : undefined;
  const results = await Promise.all(homes.map(round));
  port.send(results.flat());
}
port.close();
