import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import { createCredentialSession, oauthCredential } from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";

/** A process that ends, as well-behaved ones do: it is asked to, settles its session, and exits. */
const port = connectParent();
const { home, key, tokenUrl } = (await port.receive()) as { home: string; key: string; tokenUrl: string };
const session = createCredentialSession({
  kind: oauthCredential,
  store: fileStore(home),
  key,
  home,
  refreshGrant: loopbackGrant(tokenUrl),
});
process.on("SIGTERM", () => {
  port.send("settling");
  void session.settle().then(() => process.exit(0));
});
void session.ensureFresh();
