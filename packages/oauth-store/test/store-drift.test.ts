import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { expectNoSecret, proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createKeyringStore,
  flockProvider,
  oauthCredential,
  observeStoreDrift,
  resolveCredentialStore,
  type StoreDriftOptions,
  type StoreDriftReport,
  type StoreResolutionEvent,
} from "../src/index.ts";
import { credentialOf, KEY, SERVER } from "./support/memory-setting.ts";
import { plainFile } from "./support/plain-file.ts";
import { noBus, scriptedKeyring } from "./support/scripted-keyring.ts";

let home: TemporaryHome;
let reports: StoreDriftReport[];
let failures: string[];
beforeEach(async () => {
  home = await temporaryHome();
  reports = [];
  failures = [];
});
afterEach(() => home.remove());

const STATE = ".mcp-oauth-store-resolutions.json";
const observer = (options: Partial<StoreDriftOptions> = {}) =>
  observeStoreDrift({
    home: home.path,
    onDrift: (report) => reports.push(report),
    onFailure: (code) => failures.push(code),
    ...options,
  });
type Resolved = StoreResolutionEvent & { type: "resolved" };
const event = (over: Partial<Resolved> = {}): Resolved => ({
  type: "resolved",
  key: KEY,
  mode: "auto",
  keyringBackend: "direct",
  place: "keyring",
  reason: "auto_load_keyring",
  ...over,
});
const toFile = { place: "file", reason: "auto_load_file_keyring_error" } as const;
/** Each in a process of its own, as far as the observer can tell. */
async function observe(...events: Resolved[]): Promise<void> {
  for (const one of events) {
    const drift = observer();
    drift.observe(one);
    await drift.settle();
  }
}

describe(observeStoreDrift, () => {
  it(
    "reports once, with the reason, that auto found a credential elsewhere than before",
    proves("oauth-store/drift-reported"),
    async () => {
      await observe(event(), event(), event(toFile), event(toFile));
      expect(reports).toEqual([
        {
          serverName: SERVER.serverName,
          previous: "keyring",
          resolved: "file",
          reason: "auto_load_file_keyring_error",
        },
      ]);
      expect(JSON.parse(await readFile(home.file(STATE), "utf8"))).toEqual({
        version: 1,
        resolutions: {
          [KEY]: { store_mode: "auto", keyring_backend: "direct", resolved_store: "file" },
        },
      });
      expect(failures).toEqual([]);
    },
  );

  it("is silent about what was configured anew", proves("oauth-store/drift-reported"), async () => {
    await observe(
      event(),
      event({ mode: "file", place: "file", reason: "configured_load" }),
      event(),
      event({ ...toFile, keyringBackend: "secrets" }),
      event({ ...toFile, keyringBackend: "direct" }),
      event({ ...toFile, key: "another|0" }),
    );
    expect(reports).toEqual([]);
    // The same place again, as somebody else has noted it.
    const noted = { store_mode: "auto", keyring_backend: "direct", resolved_store: "keyring", later: 1 };
    const text = JSON.stringify({ version: 1, resolutions: { [KEY]: noted } });
    await writeFile(home.file(STATE), text, { mode: 0o600 });
    await observe(event());
    expect(reports).toEqual([]);
  });

  it(
    "still knows after a logout where the credential was",
    proves("oauth-store/drift-reported"),
    async () => {
      const scripted = scriptedKeyring();
      const login = async () => {
        const drift = observer();
        const store = resolveCredentialStore({
          mode: "auto",
          keyring: createKeyringStore({ service: "S", lockDirectory: home.file("locks"), keyring: scripted }),
          file: plainFile.open(home.path),
          onEvent: drift.observe,
        });
        await store.update(KEY, () => ({ write: "a login" }));
        await drift.settle();
        return store;
      };
      const first = await login();
      expect(await first.removeEverywhere?.(KEY)).toEqual({ removed: true, failures: [] });
      scripted.failWith(noBus);
      await login();
      expect(reports).toMatchObject([
        { previous: "keyring", resolved: "file", reason: "auto_save_file_keyring_error" },
      ]);
    },
  );

  it("keeps what others have written there", proves("oauth-store/drift-reported"), async () => {
    const other = { store_mode: "auto", keyring_backend: "x", resolved_store: "file", later: 1 };
    await writeFile(
      home.file(STATE),
      JSON.stringify({ version: 1, extra: true, resolutions: { o: other } }),
      {
        mode: 0o600,
      },
    );
    await observe(event());
    expect(JSON.parse(await readFile(home.file(STATE), "utf8"))).toMatchObject({
      extra: true,
      resolutions: { o: other, [KEY]: { resolved_store: "keyring" } },
    });
  });

  it.each([
    ["a newer version", '{"version":2,"resolutions":{}}', "newer-version"],
    ["no JSON", "{", "unreadable"],
    ["another shape", '{"version":1,"resolutions":[]}', "unreadable"],
  ])(
    "leaves a state with %s as it is, and says so once",
    proves("oauth-store/drift-harmless"),
    async (_, text, why) => {
      await writeFile(home.file(STATE), text, { mode: 0o600 });
      const drift = observer();
      for (let n = 0; n < 3; n += 1) drift.observe(event());
      await drift.settle();
      expect(failures).toEqual([why]);
      expect(await readFile(home.file(STATE), "utf8")).toBe(text);
    },
  );

  it(
    "waits 250 ms for its lock and never keeps a login waiting",
    proves("oauth-store/drift-harmless"),
    async () => {
      const held = await flockProvider().acquire(home.file("locks", "store-resolutions.lock"));
      const waited: number[] = [];
      const real = flockProvider();
      const drift = observer({
        locks: {
          ...real,
          acquire(path, options) {
            waited.push(options?.timeoutMs ?? 0);
            return real.acquire(path, options);
          },
        },
      });
      const store = resolveCredentialStore({
        mode: "file",
        file: plainFile.open(home.path),
        onEvent: drift.observe,
      });
      await store.update(KEY, () => ({ write: "F" }));
      // The login is through while the observer still waits.
      expect(failures).toEqual([]);
      expect(await store.read(KEY)).toBe("F");
      await drift.settle();
      expect(failures).toEqual(["ERR_OAUTH_STORE_LOCK_TIMEOUT"]);
      expect(waited).toEqual([250]);
      held.release();
      expect(await readdir(home.path)).not.toContain(STATE);
    },
  );

  it(
    "survives a state it cannot write and listeners that throw",
    proves("oauth-store/drift-harmless"),
    async () => {
      await observe(event());
      const loud = observer({
        onDrift: () => {
          throw new Error("a listener");
        },
      });
      loud.observe(event(toFile));
      await loud.settle();
      await mkdir(home.file("in-the-way"));
      const blocked = observer({ path: home.file("in-the-way") });
      blocked.observe(event());
      blocked.observe(event(toFile));
      await blocked.settle();
      expect(failures).toHaveLength(1);
    },
  );

  it(
    "names the server, two stores and a reason: no token, URL, client or error text anywhere",
    proves("oauth-store/drift-no-secret"),
    async () => {
      const secrets = ["planted-access-token", "planted-refresh-token", "planted-client", "planted.example"];
      const [accessToken = "", refreshToken = "", clientId = "", host = ""] = secrets;
      const scripted = scriptedKeyring();
      const open = () => {
        const drift = observer();
        const store = resolveCredentialStore({
          mode: "auto",
          keyring: createKeyringStore({ service: "S", lockDirectory: home.file("locks"), keyring: scripted }),
          file: plainFile.open(home.path),
          onEvent: drift.observe,
        });
        return { drift, store };
      };
      const credential = oauthCredential.serialize({
        ...credentialOf({ accessToken, refreshToken }),
        clientId,
        serverUrl: `https://${host}/mcp`,
      });
      const first = open();
      await first.store.update(KEY, () => ({ write: credential }));
      await first.drift.settle();
      scripted.failWith(new Error(`${noBus.message} ${accessToken}`));
      const second = open();
      await second.store.update(KEY, () => ({ write: credential }));
      await second.drift.settle();
      expect(reports).toMatchObject([
        { previous: "keyring", resolved: "file", reason: "auto_save_file_keyring_error" },
      ]);
      const files = (await readdir(home.path, { recursive: true })).filter((name) =>
        name.includes("resolutions"),
      );
      const texts = await Promise.all(files.map((name) => readFile(home.file(name), "utf8")));
      expect(texts.join()).toContain(SERVER.serverName);
      expectNoSecret([reports, failures, files, texts, second.drift], secrets);
    },
  );
});
