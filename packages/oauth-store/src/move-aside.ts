import { chmod, rename } from "node:fs/promises";
import { dirname } from "node:path";
import type { StoreUpdateOptions } from "./credential-store.ts";
import { syncDirectory } from "./descriptor.ts";
import { fileError } from "./file-error.ts";

/**
 * Moves a file that cannot be read out of the way, for whoever may still want to look at it: what is in it may be
 * credentials, so only its owner can. By the holder of the file's lock.
 */
export async function moveAside(path: string, faultPoint: StoreUpdateOptions["faultPoint"]): Promise<void> {
  try {
    await chmod(path, 0o600);
    await faultPoint?.("aside/private");
    await rename(path, `${path}.corrupt-${Date.now()}`);
    await faultPoint?.("aside/renamed");
    await syncDirectory(dirname(path));
    await faultPoint?.("aside/moved");
  } catch (error) {
    throw fileError(error, path);
  }
}
