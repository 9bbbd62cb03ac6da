import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fingerprint } from "../../src/fingerprint.ts";
import {
  type CredentialClock,
  createCredentialSession,
  type OAuthCredential,
  oauthCredential,
} from "../../src/index.ts";
import { decodeHeader, encodeHeader, HEADER_BYTES } from "../../src/record-codec.ts";
import { HOUR } from "./hour.ts";
import { KillAuthority } from "./kill-authority.ts";
import { killKind } from "./kill-kind.ts";
import { type KillStore, killStores, plainFileOf } from "./kill-stores.ts";
import type { Prepared } from "./kill-work.ts";
import { credentialOf, KEY, type Session } from "./memory-setting.ts";

const OTHER = "other|1";
const WITNESS = { access_token: "somebody else's", unknown: { nested: [1] } };

/** Makes the homes that processes die in. Time stands still there: what is put off stays put off. */
export class KillLab {
  readonly authority: KillAuthority = new KillAuthority();
  readonly nowMs: number = Date.now();

  /** A session in the home, as the next process has one. */
  session(home: string, store: KillStore, clock: CredentialClock = this.#hoursAgo(0)): Session {
    return createCredentialSession({
      kind: killKind,
      store: killStores()(store, home),
      key: KEY,
      home,
      clock,
      random: () => 0,
      refreshGrant: async ({ refreshToken }) => this.authority.grant(refreshToken),
    });
  }

  /** What the authority issued; `leftMs` is how long its access token is said to last. */
  credential(issued: { accessToken: string; refreshToken: string }, leftMs: number): OAuthCredential {
    return { ...credentialOf(issued), expiresAtMs: this.nowMs + leftMs };
  }

  newLogin(): OAuthCredential {
    return this.credential(this.authority.login(), HOUR);
  }

  /** A home in which nobody has logged in. */
  async nobody(home: string, store: KillStore): Promise<Prepared> {
    await writeEntries(home, store, {});
    const credential = this.newLogin();
    return { token: credential.refreshToken ?? "", credential };
  }

  /** A login that has expired, of somebody who keeps no note. */
  async expired(home: string, store: KillStore, { short = false } = {}): Promise<Prepared> {
    const issued = this.authority.login();
    const token = short ? randomBytes(10).toString("hex") : issued.refreshToken;
    this.authority.live.set(token, token);
    const credential = this.credential({ ...issued, refreshToken: token }, -1);
    await writeEntries(home, store, { [KEY]: oauthCredential.serialize(credential) });
    return { token };
  }

  /** One that has been refreshed so often, and has expired since. */
  async aged(home: string, store: KillStore, refreshes: number): Promise<Prepared> {
    await this.expired(home, store);
    const session = this.session(home, store, this.#hoursAgo(2));
    for (let done = 0; done < refreshes; done += 1) await session.refresh();
    await session[Symbol.asyncDispose]();
    return { token: await this.storedToken(home, store) };
  }

  /** One that was made here, and is good for an hour. */
  async loggedIn(home: string, store: KillStore): Promise<Prepared> {
    await writeEntries(home, store, {});
    const credential = this.newLogin();
    const session = this.session(home, store);
    await session.login(credential);
    await session[Symbol.asyncDispose]();
    return { token: credential.refreshToken ?? "" };
  }

  /** A refresh that comes to nothing. */
  async failed(home: string, store: KillStore, hours: number): Promise<void> {
    const session = this.session(home, store, this.#hoursAgo(hours));
    await session.refresh().then(
      () => Promise.reject(new Error("it was to fail")),
      () => {},
    );
    await session[Symbol.asyncDispose]();
  }

  /** One that was refreshed, and of which an older copy was restored. */
  async wentBack(home: string, store: KillStore): Promise<Prepared> {
    const { token } = await this.expired(home, store);
    const file = plainFileOf(store, home);
    const before = await readFile(file);
    const session = this.session(home, store);
    await session.ensureFresh();
    await session[Symbol.asyncDispose]();
    await writeFile(file, before);
    return { token };
  }

  /** One that was made here, has expired, and stands in the keyring and in the file. */
  async twice(home: string, store: KillStore): Promise<Prepared> {
    await writeEntries(home, store, {});
    const issued = this.authority.login();
    const session = this.session(home, store, this.#hoursAgo(2));
    await session.login(this.credential(issued, -1));
    await session[Symbol.asyncDispose]();
    const entry = await killStores()(store, home).read(KEY);
    await writeEntries(home, store, { [KEY]: entry });
    return { token: issued.refreshToken };
  }

  /** Settled records of logins that are long gone. */
  async oldRecords(home: string, count: number): Promise<void> {
    const [credential = ""] = await readdir(join(home, "spend"));
    for (let at = 0; at < count; at += 1) {
      const name = randomBytes(16).toString("hex");
      const header = encodeHeader({
        version: 1,
        fingerprint: name,
        state: "settled",
        attempt: 1,
        reason: "expiry",
        claimedAtMs: at,
        leaseUntilMs: at,
        failures: 0,
        uncertain: false,
        lineage: "gone",
        generation: at,
        snapshotHash: "gone",
        clientHash: "gone",
        owner: { host: "gone", boot: "gone", pid: 1 },
      });
      await writeFile(join(home, "spend", credential, `${name}.1`), header, { mode: 0o600 });
    }
  }

  /** A list of refresh tokens that were spent long ago, that one last. */
  async spentTokens(
    home: string,
    count: number,
    last: string = randomBytes(32).toString("hex"),
  ): Promise<void> {
    const [credential = ""] = await readdir(join(home, "spend"));
    const names = Array.from({ length: count - 1 }, () => randomBytes(16).toString("hex"));
    const lines = [...names, fingerprint(KEY, last)].map((name) => `${name} ${"0".repeat(32)} 1\n`);
    await writeFile(join(home, "spend", credential, "spent"), lines.join(""), { mode: 0o600 });
  }

  /** Has the one record say that nothing is sent for so long. */
  async putOff(home: string, hours: number): Promise<void> {
    const [credential = ""] = await readdir(join(home, "spend"));
    const names = await readdir(join(home, "spend", credential));
    const record = join(home, "spend", credential, names.find((name) => name.endsWith(".1")) ?? "");
    const bytes = await readFile(record);
    const header = decodeHeader(bytes);
    if (header === undefined || header === "newer") throw new Error("the record has no header");
    bytes.set(encodeHeader({ ...header, nextAtMs: this.nowMs + hours * HOUR }).subarray(0, HEADER_BYTES));
    await writeFile(record, bytes);
  }

  /** Takes everything out of the file but the credential. */
  async removeOthers(home: string, store: KillStore): Promise<void> {
    const file = plainFileOf(store, home);
    const { [KEY]: entry } = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ [KEY]: entry }));
  }

  async storedToken(home: string, store: KillStore): Promise<string> {
    const entry = await killStores()(store, home).read(KEY);
    return entry === undefined ? "" : (oauthCredential.parse(entry).refreshToken ?? "");
  }

  #hoursAgo(hours: number): CredentialClock {
    return { wallMs: () => this.nowMs - hours * HOUR, monotonicMs: () => 0 };
  }
}

/** Other entries in the plain file; undefined where it holds none. */
export async function othersIn(home: string, store: KillStore): Promise<unknown> {
  const text = await readFile(plainFileOf(store, home), "utf8").catch(() => "{}");
  return JSON.parse(text)[OTHER];
}

async function writeEntries(home: string, store: KillStore, entries: Record<string, unknown>): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const file = plainFileOf(store, home);
  const [only] = Object.values(entries);
  if (store !== "single file") {
    await writeFile(file, JSON.stringify({ [OTHER]: WITNESS, ...entries }), { mode: 0o600 });
  } else if (only !== undefined) await writeFile(file, JSON.stringify(only, null, 2), { mode: 0o600 });
}
