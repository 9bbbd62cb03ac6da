import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import {
  createCredentialSession,
  isCredentialError,
  type LockProvider,
  oauthCredential,
} from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";
import { uselessLocks } from "../support/useless-locks.ts";

export interface CrowdSetup {
  readonly home: string;
  readonly key: string;
  readonly tokenUrl: string;
  readonly callers: number;
}

/** Callers of one session; a new one, with new callers, at each word of the parent, until that says `end`. */
const port = connectParent();
const { home, key, tokenUrl, callers } = (await port.receive()) as CrowdSetup;
port.send("ready");
for (;;) {
  const word = await port.receive();
  if (word === "end") break;
  port.send(await round(word === "go without locks" ? uselessLocks : undefined));
}
port.close();

async function round(locks: LockProvider | undefined): Promise<unknown[]> {
  const session = createCredentialSession({
    kind: oauthCredential,
    store: fileStore(home, locks),
    key,
    home,
    locks,
    refreshGrant: loopbackGrant(tokenUrl),
    random: () => 0,
  });
  const use = () =>
    session.ensureFresh().then(
      ({ view }) => ({ accessToken: view.accessToken }),
      (error: unknown) => ({ code: isCredentialError(error) ? error.code : String(error) }),
    );
  const results = await Promise.all(Array.from({ length: callers }, use));
  await session[Symbol.asyncDispose]();
  return results;
}
