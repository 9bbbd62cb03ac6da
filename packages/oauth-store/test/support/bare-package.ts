import { cp, mkdir, readdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TemporaryHome } from "@hawser/test-kit";

/**
 * The package in a place of its own, as it is where only what it cannot do without was installed, and perhaps the
 * lock library. Returns the script in `children` of that name, there.
 */
export async function barePackage(
  home: TemporaryHome,
  child: string,
  withLocks: "with locks" | "without locks",
): Promise<string> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const bare = home.file("bare", "packages", "oauth-store");
  await mkdir(join(bare, "test"), { recursive: true });
  await cp(join(root, "src"), join(bare, "src"), { recursive: true });
  for (const part of ["children", "support"]) {
    await cp(join(root, "test", part), join(bare, "test", part), { recursive: true });
  }
  await mkdir(join(bare, "node_modules"));
  await symlink(join(root, "node_modules", "zod"), join(bare, "node_modules", "zod"));
  const kit = home.file("bare", "internal", "test-kit");
  await mkdir(dirname(kit));
  await symlink(join(root, "..", "..", "internal", "test-kit"), kit);
  if (withLocks === "with locks") {
    const from = join(root, "node_modules", "@koromix");
    await mkdir(join(bare, "node_modules", "@koromix"));
    for (const name of await readdir(from)) {
      await symlink(join(from, name), join(bare, "node_modules", "@koromix", name));
    }
  }
  return join(bare, "test", "children", child);
}
