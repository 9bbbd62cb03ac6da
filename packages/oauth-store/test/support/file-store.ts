import { join } from "node:path";
import { type CredentialStore, createAggregateFileStore } from "../../src/index.ts";

export function fileStore(home: string): CredentialStore {
  return createAggregateFileStore({
    path: join(home, ".credentials.json"),
    lockPath: join(home, "mcp-oauth-locks", "file-store.lock"),
  });
}
