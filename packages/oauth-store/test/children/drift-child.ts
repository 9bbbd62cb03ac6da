import { connectParent } from "../../../../internal/test-kit/src/connect-parent.ts";
import {
  createAggregateFileStore,
  createKeyringStore,
  observeStoreDrift,
  resolveCredentialStore,
} from "../../src/index.ts";

/** One start with the mode `auto`: looks for a credential, and says where it was and what was reported. */
const port = connectParent();
const [, , home = "", key = ""] = process.argv;
const reports: unknown[] = [];
const failures: string[] = [];
const drift = observeStoreDrift({
  home,
  onDrift: (report) => reports.push(report),
  onFailure: (code) => failures.push(code),
});
const store = resolveCredentialStore({
  mode: "auto",
  keyring: createKeyringStore({ service: home, lockDirectory: `${home}/locks` }),
  file: createAggregateFileStore({
    path: `${home}/.credentials.json`,
    lockPath: `${home}/locks/file-store.lock`,
  }),
  onEvent: drift.observe,
});
await store.read(key);
await drift.settle();
port.send({ place: store.resolution(key), reports, failures });
port.close();
