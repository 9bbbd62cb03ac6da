import { z } from "zod";

/** How a child's environment is made from this server's. */
export const environmentPolicy = z.object({
  inherit: z.enum(["all", "core", "none"]),
  ignoreDefaultExcludes: z.boolean().default(false),
  exclude: z.array(z.string()).default([]),
  set: z.record(z.string(), z.string()).default({}),
  includeOnly: z.array(z.string()).default([]),
});

export type EnvironmentPolicy = z.output<typeof environmentPolicy>;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment of a child: without a policy exactly `env`; with one, what the policy lets through of `server`,
 * what it sets, narrowed to `includeOnly`, and `env` over all of it. The result has no prototype, so no name reaches one.
 */
export function childEnvironment(
  server: Environment,
  policy: EnvironmentPolicy | null | undefined,
  env: Environment,
): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  if (policy !== null && policy !== undefined) inherit(result, server, policy);
  return assign(result, env);
}

const CORE: ReadonlySet<string> = new Set([
  ...["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL"],
  ...["TEMP", "TMP", "TMPDIR", "USER", "USERNAME"],
]);

function inherit(result: Record<string, string>, server: Environment, policy: EnvironmentPolicy): void {
  const { inherit: what, ignoreDefaultExcludes, exclude, set, includeOnly } = policy;
  if (what === "all") assign(result, server);
  if (what === "core") {
    assign(
      result,
      Object.fromEntries(Object.entries(server).filter(([name]) => CORE.has(name.toUpperCase()))),
    );
  }
  for (const name of Object.keys(result)) {
    const isSecret = !ignoreDefaultExcludes && /key|secret|token/i.test(name);
    if (isSecret || exclude.some((glob) => matchesGlob(name, glob))) delete result[name];
  }
  assign(result, set);
  if (includeOnly.length === 0) return;
  for (const name of Object.keys(result)) {
    if (!includeOnly.some((glob) => matchesGlob(name, glob))) delete result[name];
  }
}

function assign(result: Record<string, string>, from: Environment): Record<string, string> {
  for (const [name, value] of Object.entries(from)) if (value !== undefined) result[name] = value;
  return result;
}

/** `*` and `?`, without regard to case. Backs up to the last star only, so no pattern is slow. */
export function matchesGlob(name: string, glob: string): boolean {
  const text = name.toLowerCase();
  const pattern = glob.toLowerCase();
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let index = 0; index < text.length; ) {
    if (pattern[at] === "*") {
      star = at;
      resume = index;
      at += 1;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === text[index])) {
      at += 1;
      index += 1;
    } else if (star !== -1) {
      resume += 1;
      index = resume;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}
