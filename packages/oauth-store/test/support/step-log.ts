import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { relative, sep } from "node:path";
import type { KeyringProvider } from "../../src/keyring-provider.ts";
import type { Step } from "./steps.ts";

/**
 * Sees every call that changes a file below a home. Import it before whatever is to be watched. A lock's file and its
 * directory are left out: it is empty, is never removed, and whoever does not find it makes it.
 */
export const stepLog = {
  /** Begins a log; steps are added as they begin. */
  below(home: string): Step[] {
    const steps: Step[] = [];
    logs.set(home, steps);
    return steps;
  },
  /** Sees what is changed in a keyring too, whose service is the home. */
  keyring(keyring: KeyringProvider): KeyringProvider {
    return {
      entry(service, account) {
        const entry = keyring.entry(service, account);
        const change = (name: string) => logs.get(service)?.push({ is: "change", name: `keyring ${name}` });
        return {
          get: () => entry.get(),
          set(secret) {
            change("set");
            return entry.set(secret);
          },
          remove() {
            change("remove");
            return entry.remove();
          },
        };
      },
    };
  },
};

type Call = (...given: unknown[]) => unknown;

const MAKING = ["appendFile", "copyFile", "cp", "link", "mkdtemp", "symlink", "writeFile"];
const CHANGING = ["chmod", "rename", "rm", "rmdir", "truncate", "unlink", "utimes"];
const BY_DESCRIPTOR = ["fchmod", "fdatasync", "fsync", "ftruncate", "futimes", "write", "writev"];
const BY_HANDLE = [
  "appendFile",
  "chmod",
  "datasync",
  "sync",
  "truncate",
  "utimes",
  "write",
  "writeFile",
  "writev",
];

const logs = new Map<string, Step[]>();
/** Paths of open files. */
const paths = new Map<number, string>();
/** A call that is made of others counts once. */
let isInside = false;

watch(["mkdir"], (path) => !fs.existsSync(path));
watch(MAKING, () => true);
watch(CHANGING, (path) => fs.existsSync(path));

function watch(names: readonly string[], changes: (path: string) => boolean): void {
  for (const name of names) {
    const see = (file: unknown) => {
      const path = typeof file === "number" ? paths.get(file) : String(file);
      if (path !== undefined && changes(path)) note("change", name, path);
    };
    for (const owner of [fs, promises]) {
      replace(owner, name, (real) => (...given) => {
        see(given[0]);
        return real(...given);
      });
    }
    replace(fs, `${name}Sync`, (real) => (...given) => {
      see(given[0]);
      const before = isInside;
      isInside = true;
      try {
        return real(...given);
      } finally {
        isInside = before;
      }
    });
  }
}

for (const name of BY_DESCRIPTOR) {
  for (const member of [name, `${name}Sync`]) {
    replace(fs, member, (real) => (...given) => {
      note(isSync(name) ? "sync" : "change", name, paths.get(Number(given[0])));
      return real(...given);
    });
  }
}
replace(fs, "openSync", (real) => (...given) => {
  noteOpening(given);
  const descriptor = real(...given);
  paths.set(Number(descriptor), String(given[0]));
  return descriptor;
});
replace(fs, "open", (real) => (...given) => {
  noteOpening(given);
  const done = given.pop() as (error: unknown, descriptor: number) => void;
  return real(...given, (error: unknown, descriptor: number) => {
    if (!error) paths.set(descriptor, String(given[0]));
    done(error, descriptor);
  });
});
replace(promises, "open", (real) => async (...given) => {
  noteOpening(given);
  const handle = (await real(...given)) as object;
  for (const name of BY_HANDLE) {
    replace(handle, name, (method) => (...more) => {
      note(isSync(name) ? "sync" : "change", name, String(given[0]));
      return method(...more);
    });
  }
  return handle;
});
syncBuiltinESMExports();

function replace(owner: object, member: string, by: (real: Call) => Call): void {
  const real = Reflect.get(owner, member) as Call;
  Reflect.set(owner, member, by(real.bind(owner)));
}

function isSync(name: string): boolean {
  return name.endsWith("sync");
}

/** Opening changes something when it makes the file, or cuts it short. */
function noteOpening([path, flags]: readonly unknown[]): void {
  const { O_CREAT, O_TRUNC } = fs.constants;
  const isMaking = typeof flags === "number" ? (flags & O_CREAT) !== 0 : /^[wa]/.test(String(flags ?? "r"));
  const isCutting =
    typeof flags === "number" ? (flags & O_TRUNC) !== 0 : String(flags ?? "r").startsWith("w");
  const isThere = fs.existsSync(String(path));
  if (isThere ? isCutting : isMaking) note("change", "open", String(path));
}

function note(is: Step["is"], call: string, path: string | undefined): void {
  if (isInside || path === undefined || /[/\\](?:[^/\\]*-)?locks(?:[/\\]|$)|\.lock$/.test(path)) return;
  for (const [home, steps] of logs) {
    const below = relative(home, path);
    if (below === ".." || below.startsWith(`..${sep}`)) continue;
    const shown = below
      .replace(/[0-9a-f]{64}/, "<credential>")
      .replace(/[0-9a-f]{32}/, "<token>")
      .replace(/[0-9a-f]{16}\.tmp/, "<any>.tmp");
    steps.push({ is, name: `${call} ${shown || "."}` });
  }
}
