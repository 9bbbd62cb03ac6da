import { mkdir, readdir, readFile, rename, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import {
  type CredentialEvent,
  type CredentialStore,
  createCredentialSession,
  type OAuthCredential,
  oauthCredential,
  readSpendRecords,
  type SpendSummary,
} from "../../src/index.ts";
import { fileStore } from "./file-store.ts";
import { loopbackGrant } from "./loopback-grant.ts";
import { KEY, type Session, type SessionOptions } from "./memory-setting.ts";
import { secretNet } from "./secret-net.ts";
import { startTokenServer, type TokenServer } from "./token-server.ts";
import { type ToldProcess, type ToldProcessOptions, toldProcess } from "./told-process.ts";

/** A home on disk, a token endpoint on loopback, and sessions on both. */
export interface HomeSetting extends AsyncDisposable {
  readonly home: TemporaryHome;
  readonly tokens: TokenServer;
  readonly store: CredentialStore;
  readonly path: string;
  readonly events: CredentialEvent[];
  /** Each call is a session of its own, which shares nothing with the others but the files. */
  session(options?: Partial<SessionOptions>): Session;
  /** Each call is a process of its own, which does with the credential what it is told. */
  another(options?: ToldProcessOptions): ToldProcess;
  save(credential: OAuthCredential): Promise<void>;
  stored(): Promise<OAuthCredential | undefined>;
  /** The spend records of the credential, newest first. */
  records(): Promise<readonly SpendSummary[]>;
  /** Text of every file below the home. */
  allText(): Promise<string>;
}

export async function homeSetting(): Promise<HomeSetting> {
  const home = await temporaryHome();
  const tokens = await startTokenServer();
  const store = fileStore(home.path);
  const events: CredentialEvent[] = [];
  const sessions: Session[] = [];
  const processes: ToldProcess[] = [];
  return {
    home,
    tokens,
    store,
    path: home.file(".credentials.json"),
    events,
    session(options = {}) {
      const session = createCredentialSession({
        kind: oauthCredential,
        store,
        key: KEY,
        home: home.path,
        refreshGrant: loopbackGrant(tokens.url),
        random: () => 0,
        ...options,
      });
      session.onEvent((event) => events.push(event));
      sessions.push(session);
      return secretNet.session(session);
    },
    another(options) {
      const one = toldProcess({ home, tokens }, options);
      processes.push(one);
      return one;
    },
    save: (credential) => store.update(KEY, () => ({ write: oauthCredential.serialize(credential) })),
    async stored() {
      const entry = await store.read(KEY);
      return entry === undefined ? undefined : oauthCredential.parse(entry);
    },
    records: () => readSpendRecords({ home: home.path, key: KEY }),
    async allText() {
      const names = await readdir(home.path, { recursive: true, withFileTypes: true });
      const texts = names
        .filter((name) => name.isFile())
        .map((name) => readFile(join(name.parentPath, name.name), "latin1"));
      return (await Promise.all(texts)).join("\n");
    },
    async [Symbol.asyncDispose]() {
      try {
        for (const one of processes) await one[Symbol.asyncDispose]();
        for (const session of sessions) await session[Symbol.asyncDispose]();
      } finally {
        await tokens.close();
        await home.remove();
      }
    },
  };
}

/** Puts a directory in the place of the store's file, so that nothing can be saved; returns the way back. */
export async function blockStore(path: string): Promise<() => Promise<void>> {
  await rename(path, `${path}.away`);
  await mkdir(path);
  return async () => {
    await rmdir(path);
    await rename(`${path}.away`, path);
  };
}

/** Keeps a copy of a file, and returns the way to restore it: a backup. */
export async function backUp(path: string): Promise<() => Promise<void>> {
  const text = await readFile(path);
  return () => writeFile(path, text, { mode: 0o600 });
}
