import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";

/** Whether this user could make a file in that directory now, the directories that are missing included. */
export function canCreateIn(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    const parent = dirname(directory);
    return (error as NodeJS.ErrnoException).code === "ENOENT" && parent !== directory && canCreateIn(parent);
  }
}
