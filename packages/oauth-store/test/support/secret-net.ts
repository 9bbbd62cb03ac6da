import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { childStarted, expectNoSecret, findSecret, homeEnding, type SpawnedChild } from "@hawser/test-kit";
import { CANARY } from "./canary.ts";
import { isStoreFile } from "./is-store-file.ts";
import { overhear } from "./overhear.ts";

/** A token that a test spells out itself must be this long to be told from chance. */
const SHORTEST = 8;

/**
 * Sees what this process and its children print, what sessions throw, return and tell, and what stands in a home when
 * it is removed; and finds the tokens in it, whichever test has let them out.
 */
export class SecretNet {
  readonly #secrets: string[];
  readonly #living = new Set<SpawnedChild>();
  readonly #shown = new Set<unknown>();
  #ended: SpawnedChild[] = [];
  #printed: unknown[] = [];
  #found: string[] = [];

  constructor(canary: string) {
    this.#secrets = [canary];
  }

  /** What this process has printed since the last `check`. */
  get printed(): readonly unknown[] {
    return this.#printed;
  }

  /** Sees everything from now on; returns the way to end it. */
  cast(): () => void {
    const onChild = (started: unknown) => {
      const child = started as SpawnedChild;
      this.#living.add(child);
      void child.exited.then(() => {
        this.#living.delete(child);
        this.#ended.push(child);
      });
    };
    const onHome = (path: unknown) => this.search(path as string);
    const print = (given: unknown) => void this.#printed.push(given);
    childStarted.subscribe(onChild);
    homeEnding.subscribe(onHome);
    process.on("warning", print);
    const ends = [
      overhear(process.stdout, ["write"], print),
      overhear(process.stderr, ["write"], print),
      overhear(globalThis.console, ["log", "info", "warn", "error", "debug", "trace", "dir", "table"], print),
    ];
    return () => {
      childStarted.unsubscribe(onChild);
      homeEnding.unsubscribe(onHome);
      process.off("warning", print);
      for (const end of ends) end();
    };
  }

  /** Takes a token for a secret that a test spells out itself, without the canary. */
  spelledOut(token: unknown): void {
    if (typeof token !== "string" || token.length < SHORTEST) return;
    if (!this.#secrets.some((secret) => token.includes(secret))) this.#secrets.push(token);
  }

  show(value: unknown): void {
    this.#shown.add(value);
  }

  /** Hands on what the session throws, returns and tells, and is shown all of it. */
  session<S extends { onEvent(listener: (event: unknown) => void): unknown }>(session: S): S {
    this.show(session);
    session.onEvent((event) => this.show(event));
    for (const name of METHODS) {
      const method = (session as Record<string, unknown>)[name];
      if (typeof method !== "function") continue;
      const watched = async (...given: unknown[]) => {
        try {
          const result: unknown = await method.apply(session, given);
          this.show(result);
          return result;
        } catch (error) {
          this.show(error);
          throw error;
        }
      };
      Object.defineProperty(session, name, { value: watched });
    }
    return session;
  }

  /** Looks through every file below the home but its stores. */
  search(home: string): void {
    for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || isStoreFile(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      if (findSecret(bytesOf(path), this.#secrets) >= 0) this.#found.push(`the file ${path}`);
    }
  }

  /** Throws when a token could be read in anything that was seen since the last time. */
  check(): void {
    const found = this.#found;
    for (const child of [...this.#living, ...this.#ended]) {
      if (findSecret(child.stdout + child.stderr, this.#secrets) >= 0) found.push("what a child printed");
    }
    for (const value of this.#printed) this.#look(value, "what this process printed");
    for (const value of this.#shown) this.#look(value, "what a session showed");
    this.#ended = [];
    this.#shown.clear();
    this.#printed = [];
    this.#found = [];
    if (found.length > 0) throw new Error(`a token can be read in ${found.join(", ")}`);
  }

  #look(value: unknown, where: string): void {
    try {
      expectNoSecret(value, this.#secrets);
    } catch (error) {
      this.#found.push(`${where}: ${error instanceof Error ? error.message : ""}`);
    }
  }
}

/** The one that is cast over all tests of a file. */
export const secretNet: SecretNet = new SecretNet(CANARY);

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

function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    // A process that still ends takes its temporary files with it.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}
