import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createCredentialSession, isCredentialError, oauthCredential } from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";

interface Setup {
  readonly home: string;
  readonly key: string;
  readonly tokenUrl: string;
  readonly callers: number;
}

/** One process with one session: says it is ready, waits for the word, asks as many times as told, reports. */
const uid = process.env["HAWSER_TEST_UID"];
if (uid) process.setuid?.(Number(uid));
const port = connectParent();
const { home, key, tokenUrl, callers } = (await port.receive()) as Setup;
const session = createCredentialSession({
  kind: oauthCredential,
  store: fileStore(home),
  key,
  home,
  refreshGrant: loopbackGrant(tokenUrl),
  random: () => 0,
  faultPoint: (name) => port.faultPoint(name),
});
port.send("ready");
await port.receive();
const results = await Promise.all(
  Array.from({ length: callers }, () =>
    session.ensureFresh().then(
      ({ view, lineage, generation }) => ({ accessToken: view.accessToken, lineage, generation }),
      (error: unknown) => ({ code: isCredentialError(error) ? error.code : String(error) }),
    ),
  ),
);
port.send(results);
await session.settle();
port.close();
