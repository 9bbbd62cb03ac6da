import { readFile } from "node:fs/promises";
import { parse } from "smol-toml";
import { z } from "zod";
import { StartError } from "../errors.ts";

const configShape = z.object({
  affinity: z.object({ hosts: z.array(z.string().min(1)).default([]) }).default({ hosts: [] }),
});

/** What a configuration file can say. Unknown members are left alone. */
export interface ExecServerConfig {
  /** Hosts, compared exactly, whose affinity is kept beside the defaults. */
  readonly affinityHosts: readonly string[];
}

/** Reads a TOML file; without one, the defaults. Throws `StartError`. */
export async function readConfig(file: string | undefined): Promise<ExecServerConfig> {
  if (file === undefined) return { affinityHosts: [] };
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw unusable(file, (error as NodeJS.ErrnoException).code ?? "cannot be read");
  }
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    // The parser's own message quotes the file.
    throw unusable(file, "is not TOML");
  }
  const parsed = configShape.safeParse(value);
  if (!parsed.success) throw unusable(file, parsed.error.issues[0]?.path.join(".") ?? "is not as expected");
  return { affinityHosts: parsed.data.affinity.hosts };
}

function unusable(file: string, why: string): StartError {
  return new StartError("ERR_EXEC_SERVER_CONFIG", `cannot use ${JSON.stringify(file)}: ${why}`);
}
