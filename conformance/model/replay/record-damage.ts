import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const HEADER_BYTES = 4096;

/** What becomes of the record of a claim under way. */
export type Damage = "body wiped" | "body torn" | "header torn";

/** Damages the one record that says claimed, as a failed or interrupted write would. */
export function damageClaim(home: string, damage: Damage): void {
  for (const path of recordPaths(home)) {
    const bytes = readFileSync(path);
    if (!bytes.subarray(0, HEADER_BYTES).includes('"state":"claimed"')) continue;
    if (damage === "body wiped") bytes.fill(0, HEADER_BYTES);
    else if (damage === "body torn") bytes.fill(0, HEADER_BYTES + 100);
    else bytes.fill(0, 200, HEADER_BYTES);
    writeFileSync(path, bytes);
  }
}

/** Removes the lock files, and the records too when the whole home goes. */
export function removeFromHome(home: string, what: "locks" | "everything"): void {
  rmSync(join(home, "locks"), { recursive: true, force: true });
  if (what === "everything") rmSync(join(home, "spend"), { recursive: true, force: true });
}

function recordPaths(home: string): string[] {
  const all = readdirSync(join(home, "spend"), { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => entry.isFile() && /^[0-9a-f]{32}\.[0-9]+$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
