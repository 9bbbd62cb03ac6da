import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { rooms } from "../tooling/rooms.ts";

const root = path.dirname(import.meta.dirname);
const read = (file: string) => fs.readFileSync(path.join(root, file), "utf8");

describe("README.md", () => {
  const readme = read("README.md");

  it("shows the composition that the app-server really runs", () => {
    const shown = /^```ts\n([\s\S]*?)^```$/m.exec(readme)?.[1]?.trimEnd() ?? "nothing";
    const compose = read("apps/app-server/src/compose.ts").replaceAll(/^ {2}/gm, "");
    expect(compose).toContain(shown);
  });

  it("has the rooms of the table, with their promises", () => {
    const published = rooms.filter(({ folder }) => !folder.startsWith("internal/"));
    for (const { folder, promise } of published) {
      expect(readme).toContain(`[\`${path.basename(folder)}\`](${folder}) | ${promise} |`);
    }
  });
});

describe.each(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])("%s", (document) => {
  const text = read(document);

  it("names only files that are there", () => {
    const paths = [
      ...text.matchAll(/`((?:packages|apps|internal|tooling|conformance|bench|examples)\/[\w./-]+)`/g),
    ].map(([, found]) => found ?? "");
    const linked = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, found]) => found ?? "");
    expect([...paths, ...linked].filter((file) => !fs.existsSync(path.join(root, file)))).toEqual([]);
  });
});

it("ARCHITECTURE.md proves its invariants by promises that exist", async () => {
  const files = ["packages", "apps"].flatMap((group) =>
    fs.readdirSync(path.join(root, group)).map((name) => path.join(root, group, name, "test/promises.ts")),
  );
  const known = new Set<string>();
  for (const file of files) {
    const { promises }: { promises: Record<string, unknown> } = await import(file);
    for (const id of Object.keys(promises)) known.add(id);
  }
  const invariants = read("ARCHITECTURE.md").split("## Invariants")[1]?.split("\n## ")[0] ?? "";
  const named = [...invariants.matchAll(/`([a-z-]+\/[a-z0-9-]+)`/g)].map(([, id]) => id ?? "");

  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((id) => !known.has(id))).toEqual([]);
});
