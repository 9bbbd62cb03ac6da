import { parentPort, workerData } from "node:worker_threads";
import { createCredentialSession, oauthCredential, storeKey } from "../../src/index.ts";
import { fileStore } from "../support/file-store.ts";

/** A session in a worker thread that claims, says so, and stands still. */
const { home } = workerData as { home: string };
const session = createCredentialSession({
  kind: oauthCredential,
  store: fileStore(home),
  key: storeKey("mock", "https://mcp.example/mcp"),
  home,
  refreshGrant: () => Promise.reject(new Error("it was never to come to that")),
  faultPoint: async (name) => {
    if (name !== "claimed") return;
    parentPort?.postMessage("claimed");
    await new Promise(() => setInterval(() => {}, 1000));
  },
});
await session.ensureFresh();
