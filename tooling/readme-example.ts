import fs from "node:fs";

/** The first ```ts block of a README: the example its reader would copy. */
export function readmeExample(file: string): string | undefined {
  if (!fs.existsSync(file)) return undefined;
  return /^```ts\n([\s\S]*?)^```$/m.exec(fs.readFileSync(file, "utf8"))?.[1];
}
