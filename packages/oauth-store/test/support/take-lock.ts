import { createHash } from "node:crypto";
import type { TemporaryHome } from "@hawser/test-kit";
import { flockProvider, type HeldLock } from "../../src/index.ts";
import { KEY } from "./memory-setting.ts";

/** Takes the lock of the one credential as another program would; rejects when nobody gives it up in two seconds. */
export function takeLock(home: TemporaryHome): Promise<HeldLock> {
  const name = `${createHash("sha256").update(KEY).digest("hex")}.lock`;
  return flockProvider().acquire(home.file("locks", name), { timeoutMs: 2000 });
}
