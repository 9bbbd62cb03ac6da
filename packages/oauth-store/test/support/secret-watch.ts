import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import type { SpawnedChild } from "@hawser/test-kit";

/** Remembers whatever the tests were shown, and finds the tokens in it. */
export class SecretWatch {
  readonly #shown: unknown[] = [];

  /** Hands on what the session throws and returns, and remembers it, handles, statuses and errors alike. */
  session<S extends object>(session: S): S {
    this.#shown.push(session);
    for (const name of METHODS) {
      const method = (session as Record<string, unknown>)[name];
      if (typeof method !== "function") continue;
      const watched = async (...given: unknown[]) => {
        try {
          const result: unknown = await method.apply(session, given);
          this.#shown.push(result);
          return result;
        } catch (error) {
          this.#shown.push(error);
          throw error;
        }
      };
      Object.defineProperty(session, name, { value: watched });
    }
    return session;
  }

  show(value: unknown): void {
    this.#shown.push(value);
  }

  /** What a child printed; what it told its parent on purpose is not in it. */
  child(child: SpawnedChild): void {
    this.#shown.push({
      toString: () => `${child.stdout}${child.stderr}`,
    });
  }

  /** Throws when a secret can be read in what was shown. */
  check(secrets: readonly string[]): void {
    expectNone(this.#shown.flatMap(formsOf).join("\n"), secrets, "something that was shown");
  }
}

/**
 * Throws when a secret can be read in a file below the home, its stores and copies of those aside. What was moved
 * aside as corrupt is looked at: nothing is to come into it on the way.
 */
export async function checkFiles(home: string, secrets: readonly string[]): Promise<number> {
  const names = await readdir(home, { recursive: true, withFileTypes: true });
  let checked = 0;
  for (const name of names) {
    const isStore = /^\.?(credentials|real-auth|auth|elsewhere)/.test(name.name);
    if (!name.isFile() || (isStore && !name.name.includes(".corrupt-"))) continue;
    const path = join(name.parentPath, name.name);
    expectNone(await readFile(path, "latin1"), secrets, path);
    checked += 1;
  }
  return checked;
}

const METHODS = [
  "ensureFresh",
  "recover",
  "recoverBearer",
  "refresh",
  "login",
  "logout",
  "status",
  "explain",
];

function formsOf(value: unknown): string[] {
  const json = () => {
    try {
      return JSON.stringify(value) ?? "";
    } catch {
      return ""; // What JSON refuses cannot leak through it.
    }
  };
  const more = value instanceof Error ? [value.stack ?? "", inspect(value.cause)] : [];
  return [inspect(value, { depth: 8, showHidden: true }), json(), String(value), ...more];
}

function expectNone(text: string, secrets: readonly string[], where: string): void {
  for (const secret of secrets) {
    const spellings = [secret, Buffer.from(secret).toString("base64url")];
    if (spellings.some((spelling) => text.includes(spelling))) {
      throw new Error(`secret ${secrets.indexOf(secret)} can be read in ${where}`);
    }
  }
}
