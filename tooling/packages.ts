import fs from "node:fs";
import path from "node:path";

export interface WorkspacePackage {
  readonly name: string;
  readonly version: string;
  /** Absolute. */
  readonly folder: string;
  /** `packages` or `apps`. */
  readonly group: string;
  /** Subpaths that can be imported: `"."`, `"./testing"`. */
  readonly subpaths: readonly string[];
  readonly manifest: {
    readonly bin?: Record<string, string>;
    readonly dependencies?: Record<string, string>;
  };
}

export const root: string = path.dirname(import.meta.dirname);

/** Everything that is published, in the order of the folders. */
export function publishedPackages(): WorkspacePackage[] {
  return ["packages", "apps"].flatMap((group) =>
    fs.readdirSync(path.join(root, group)).map((name) => {
      const folder = path.join(root, group, name);
      const manifest = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
      const subpaths = Object.keys(manifest.exports).filter((subpath) => subpath !== "./package.json");
      return { name: manifest.name, version: manifest.version, folder, group, subpaths, manifest };
    }),
  );
}
