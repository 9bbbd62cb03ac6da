import { join } from "node:path";
import { type CredentialStore, createAggregateFileStore, type LockProvider } from "../../src/index.ts";

export function fileStore(home: string, locks?: LockProvider): CredentialStore {
  return createAggregateFileStore({
    path: join(home, ".credentials.json"),
    lockPath: join(home, "mcp-oauth-locks", "file-store.lock"),
    locks,
  });
}
