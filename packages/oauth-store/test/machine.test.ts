import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type JsonValue, type OAuthCredential, oauthCredential, readSpendRecords } from "../src/index.ts";
import { CANARY } from "./support/canary.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { HOUR } from "./support/hour.ts";
import { credentialOf, KEY } from "./support/memory-setting.ts";
import { secretNet } from "./support/secret-net.ts";

const MACHINE = new URL("./children/machine-child.ts", import.meta.url);
const ENDING = new URL("./children/ending-child.ts", import.meta.url);
const SETTLING = new URL("./children/settling-child.ts", import.meta.url);
const WORKER = new URL("./children/session-worker.ts", import.meta.url);
const NODE = ["--conditions=hawser-source", "--disable-warning=ExperimentalWarning"];

/** A user and mount namespace of our own, in which disks can be made small. */
const ISOLATE = "unshare";
const canMount =
  process.platform === "linux" &&
  spawnSync(ISOLATE, ["-Urm", "mount", "-t", "tmpfs", "t", "/tmp"]).status === 0;

interface Report {
  readonly first: unknown;
  readonly second?: unknown;
  readonly states: readonly string[];
  readonly statesAfter: readonly string[];
  readonly stored?: string | undefined;
  readonly storedAfter?: string | undefined;
  readonly events: readonly string[];
}

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

const entryOf = (credential: OAuthCredential): JsonValue => oauthCredential.serialize(credential);

/** Runs the child behind some mounts that only it sees; `$H` is the home. */
async function onMachine(mounts: string, what: string, credential: OAuthCredential): Promise<Report> {
  const { home, tokens } = setting;
  const script = `H="$1"; ${mounts}; shift; exec "$@"`;
  const command = [process.execPath, ...NODE, fileURLToPath(MACHINE), what, home.path, tokens.url];
  const given = JSON.stringify(entryOf(credential));
  const all = ["-Urm", "sh", "-e", "-c", script, "sh", home.path, ...command, given];
  const { stdout, stderr } = await promisify(execFile)(ISOLATE, all);
  const report = JSON.parse(stdout) as Report;
  const { stored: _, storedAfter: __, ...shown } = report;
  secretNet.show({ shown, stderr });
  return report;
}

describe("a disk that is full", () => {
  const SMALL = 'mount -t tmpfs -o size=600k,mode=700 t "$H"';

  it.skipIf(!canMount)(
    "keeps anything from being spent, and nothing is lost",
    proves("oauth-store/disk-full"),
    async () => {
      const { authority } = setting.tokens;
      const issued = authority.login();
      const report = await onMachine(SMALL, "full", credentialOf(issued));
      expect(report).toMatchObject({
        first: { code: "ERR_OAUTH_STORE_NOT_WRITABLE", reason: "ENOSPC" },
        states: [],
        stored: issued.accessToken,
        second: { generation: 1 },
        statesAfter: ["settled"],
      });
      expect(authority.presented).toEqual([issued.refreshToken]);
    },
  );

  it.skipIf(!canMount)(
    "after the send does not lose the answer: it is sealed in the record that was there before, served, and saved later",
    proves("oauth-store/disk-full", "oauth-store/unsaved-is-kept"),
    async () => {
      const { authority } = setting.tokens;
      const issued = authority.login();
      const report = await onMachine(SMALL, "fills after the claim", credentialOf(issued));
      expect(report).toMatchObject({
        first: { generation: 1 },
        states: ["sealed"],
        stored: issued.accessToken,
        events: expect.arrayContaining(["unpersisted"]),
        second: { generation: 1 },
        statesAfter: ["settled"],
      });
      expect(report.storedAfter).not.toBe(issued.accessToken);
      expect(authority.presented).toEqual([issued.refreshToken]);
    },
  );

  it.skipIf(!canMount)(
    "after the send does not lose an answer that is longer than most: a long credential has taken four times its size",
    proves("oauth-store/disk-full", "oauth-store/record-shape"),
    async () => {
      const { authority } = setting.tokens;
      const issued = authority.login();
      const long = { ...credentialOf(issued), accessToken: "a".repeat(20 * 1024) };
      // Longer than the room that any record has.
      const longer = "b".repeat(70 * 1024);
      authority.mischief.push({
        json: { access_token: longer, refresh_token: authority.login().refreshToken, expires_in: 3600 },
      });
      const report = await onMachine(SMALL, "fills after the claim", long);
      expect(report).toMatchObject({
        first: { generation: 1 },
        states: ["sealed"],
        stored: long.accessToken,
        second: { generation: 1 },
        statesAfter: ["settled"],
        storedAfter: longer,
      });
      expect(authority.presented).toEqual([issued.refreshToken]);
    },
  );
});

describe("a store that was mounted into a container", () => {
  it.skipIf(!canMount).each([
    ["the file of all credentials", "mounted", ".credentials.json"],
    ["a file of its own", "mounted single", "auth.json"],
  ])(
    "as a single file is never spent from: a rename inside is never seen outside: %s",
    proves("oauth-store/mounted-file"),
    async (_, what, name) => {
      const { tokens, save, home } = setting;
      const credential = credentialOf(tokens.authority.login());
      if (name === "auth.json") await home.write(name, JSON.stringify(entryOf(credential)));
      else await save(credential);
      const bind = `mount --bind "$H/${name}" "$H/${name}"`;
      expect(await onMachine(bind, what, credential)).toMatchObject({
        first: { code: "ERR_OAUTH_STORE_NOT_WRITABLE", reason: "mounted-file" },
        states: [],
        stored: credential.accessToken,
      });
      expect(tokens.authority.presented).toEqual([]);
    },
  );

  it.skipIf(!canMount)(
    "read-only serves a valid token, and ends in a typed error without a send when it has expired",
    proves("oauth-store/read-only-home", "oauth-store/rehearsed"),
    async () => {
      const { tokens, save } = setting;
      const mount = 'mount --bind "$H" "$H"; mount -o remount,bind,ro "$H"';
      const valid = credentialOf(tokens.authority.login(), HOUR);
      await save(valid);
      expect((await onMachine(mount, "read-only", valid)).first).toEqual({ generation: 0 });
      const expired = credentialOf(tokens.authority.login());
      await save(expired);
      const code = "ERR_OAUTH_STORE_NOT_WRITABLE";
      expect((await onMachine(mount, "read-only", expired)).first).toEqual({ code, reason: "EROFS" });
      expect(tokens.authority.presented).toEqual([]);
    },
  );
});

describe("a program that has nothing else to do", () => {
  async function end(what: string, credential: OAuthCredential): Promise<void> {
    const entry = JSON.stringify(entryOf(credential));
    await using child = spawnChild({ script: ENDING, args: [what, setting.home.path, entry] });
    expect(await child.exited).toEqual({ code: 0, signal: null });
  }

  it("does not end between the send and the save", proves("oauth-store/stays-to-save"), async () => {
    const { home, tokens, save, stored } = setting;
    const credential = credentialOf(tokens.authority.login());
    await save(credential);
    await end("refresh", credential);
    expect((await stored())?.accessToken).toBe(`at-${CANARY}-received`);
    const records = await readSpendRecords({ home: home.path, key: KEY });
    expect(records.map((record) => record.state)).toEqual(["settled"]);
  });

  it.each(["login", "failing login"])(
    "does not end before what a %s brought is saved",
    proves("oauth-store/stays-to-save"),
    async (what) => {
      const credential = credentialOf(setting.tokens.authority.login(), HOUR);
      await end(what, credential);
      expect((await setting.stored())?.accessToken).toBe(credential.accessToken);
    },
  );

  it("does not end in the middle of a logout", proves("oauth-store/stays-to-save"), async () => {
    const { tokens, save, stored, session } = setting;
    const credential = credentialOf(tokens.authority.login(), HOUR);
    await save(credential);
    await end("logout", credential);
    expect(await stored()).toBeUndefined();
    expect((await session().explain()).verdict).toBe("logged-out-elsewhere");
  });

  it(
    "and is told to end settles first what it has sent: the answer is saved",
    proves("oauth-store/stays-to-save"),
    async () => {
      const { home, tokens, save, stored } = setting;
      await save(credentialOf(tokens.authority.login()));
      const kept = tokens.keepAnswers();
      const child = spawnChild({ script: SETTLING });
      try {
        child.send({ home: home.path, key: KEY, tokenUrl: tokens.url });
        await tokens.server.waitFor(1);
        child.process.kill("SIGTERM");
        expect(await child.receive()).toBe("settling");
        kept.release();
        expect(await child.exited).toMatchObject({ code: 0 });
      } finally {
        await child.kill();
      }
      expect(tokens.authority.isLive((await stored())?.refreshToken)).toBe(true);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});

describe("a worker thread", () => {
  it(
    "that is ended while it holds lock and claim gives both up, though its process lives",
    proves("oauth-store/real-locks"),
    async () => {
      const { home, tokens, save, session } = setting;
      await save(credentialOf(tokens.authority.login()));
      const worker = new Worker(WORKER, { execArgv: NODE, workerData: { home: home.path } });
      await once(worker, "message");
      const waiting = session().ensureFresh();
      await worker.terminate();
      expect((await waiting).generation).toBe(1);
      expect(tokens.authority.presented).toHaveLength(1);
    },
  );
});
