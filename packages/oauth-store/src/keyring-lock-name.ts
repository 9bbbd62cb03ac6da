import { createHash } from "node:crypto";

/** The name of the lock file of one keyring entry: a keyring has no compare-and-swap. */
export function keyringLockName(service: string, account: string): string {
  const name = createHash("sha256")
    .update(JSON.stringify([service, account]))
    .digest("hex");
  return `keyring-${name}.lock`;
}
