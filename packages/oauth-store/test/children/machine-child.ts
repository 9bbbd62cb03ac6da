import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  createCredentialSession,
  createSingleFileStore,
  isCredentialError,
  oauthCredential,
  readSpendRecords,
  storeKey,
} from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";
import { loopbackGrant } from "../support/loopback-grant.ts";

/** What happens to a session on a machine that lacks something; prints one line of JSON. */
const [, , what = "", home = "", tokenUrl = "", entry = "{}"] = process.argv;
const key = storeKey("mock", "https://mcp.example/mcp");
const store = what.includes("single")
  ? createSingleFileStore({ path: join(home, "auth.json") })
  : fileStore(home);
const filler = join(home, "filler");
const events: string[] = [];

function fill(): void {
  for (let size = 1 << 20; size >= 1; size >>= 1) {
    for (;;) {
      try {
        writeFileSync(filler, Buffer.alloc(size), { flag: "a" });
      } catch {
        break;
      }
    }
  }
}

const session = createCredentialSession({
  kind: oauthCredential,
  store,
  key,
  home,
  refreshGrant: loopbackGrant(tokenUrl),
  faultPoint: (name) => {
    if (what === "fills after the claim" && name === "checked") fill();
  },
});
session.onEvent((event) => events.push(event.type));
const use = () =>
  session.ensureFresh().then(
    (handle) => ({ generation: handle.generation }),
    (error: unknown) => (isCredentialError(error) ? { code: error.code, reason: error.reason } : { error }),
  );
const states = async () => (await readSpendRecords({ home, key })).map((record) => record.state);
const stored = async () => {
  const now = await store.read(key);
  return now === undefined ? undefined : oauthCredential.parse(now).accessToken;
};

if (what.startsWith("full") || what.startsWith("fills")) {
  await store.update(key, () => ({ write: JSON.parse(entry) }));
}
if (what === "full") fill();
const first = await use();
const report = { first, states: await states(), stored: await stored(), events: [...events] };
let second: unknown;
if (what === "full" || what === "fills after the claim") {
  rmSync(filler);
  second = await use();
  await session.settle();
}
process.stdout.write(
  `${JSON.stringify({ ...report, second, statesAfter: await states(), storedAfter: await stored() })}\n`,
);
process.exit(0);
