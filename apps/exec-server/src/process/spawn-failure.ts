import { getSystemErrorMap } from "node:util";

/** The operating system's word for why something did not start: without arguments, environment or path. */
export function spawnFailure(error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException;
  const known = TEXTS.get(code ?? "");
  if (known !== undefined) return known;
  const text = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  return text === undefined
    ? `cannot be started (${code ?? "unknown"})`
    : `${text} (os error ${-(errno ?? 0)})`;
}

const TEXTS: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "No such file or directory (os error 2)"],
  ["EACCES", "Permission denied (os error 13)"],
  ["ENOTDIR", "Not a directory (os error 20)"],
]);
