import { readFile, rm, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encryptText } from "../src/encrypted-text.ts";
import { encryptionKeySource } from "../src/encryption-key.ts";
import {
  type CredentialStore,
  createEncryptedFileStore,
  createSingleFileStore,
  flockProvider,
  type JsonValue,
  resolveCredentialStore,
} from "../src/index.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { KEY } from "./support/memory-setting.ts";
import {
  type Ending,
  encryptedStoreOf,
  expectPlantedNowhere,
  keyringStoreOf,
  PLANTED,
  TOLD,
} from "./support/planted.ts";
import { type ScriptedKeyring, scriptedKeyring } from "./support/scripted-keyring.ts";

let setting: HomeSetting;
let keyring: ScriptedKeyring;
beforeEach(async () => {
  setting = await homeSetting();
  keyring = scriptedKeyring();
});
afterEach(() => setting[Symbol.asyncDispose]());

const HALF = `{"half":"${PLANTED}`;
const HUGE = PLANTED.repeat(500_000);
/** 32 bytes, of which many say what was planted. */
const ENCRYPTION_KEY = `${PLANTED.padEnd(43, "k")}=`;

const single = () => createSingleFileStore({ path: setting.home.file("auth.json") });
const encrypted = () => encryptedStoreOf(setting, keyring);
const inKeyring = () => keyringStoreOf(setting, keyring);
const write = (store: CredentialStore, entry: JsonValue = PLANTED) =>
  store.update(KEY, () => ({ write: entry }));

/** Writes an encrypted file with this text in it; the key is in the keyring. */
async function encrypt(text: string): Promise<void> {
  keyring.secrets.set("S key", ENCRYPTION_KEY);
  const source = encryptionKeySource(
    { keyring: { service: "S", account: "key", provider: keyring } },
    { locks: flockProvider(), lockDirectory: setting.home.file("locks") },
  );
  const key = await source.read();
  expect(key).toBeDefined();
  if (key) await setting.home.write("credentials.enc", encryptText(text, key));
}

/** A store that has chosen the keyring for what was planted. */
async function choosing(): Promise<CredentialStore> {
  const store = resolveCredentialStore({ mode: "auto", file: setting.store, keyring: inKeyring() });
  await write(store);
  return store;
}

function nestedTooDeeply(): JsonValue {
  let inner: JsonValue = PLANTED;
  for (let level = 0; level < 10_000; level += 1) inner = [inner];
  return { access_token: PLANTED, inner };
}

/** Where a store throws with a secret at hand, what it throws, and what brings it there. */
const PLACES: Readonly<Record<string, Ending & { readonly when: () => Promise<unknown> }>> = {
  "a single file that is no JSON and is read": {
    code: "ERR_OAUTH_STORE_CORRUPT",
    async when() {
      await setting.home.write("auth.json", HALF);
      return single().read(KEY);
    },
  },
  "a single file that is no JSON and is changed": {
    code: "ERR_OAUTH_STORE_CORRUPT",
    async when() {
      await setting.home.write("auth.json", HALF);
      return write(single());
    },
  },
  "a single file for something nested too deeply": {
    code: "ERR_OAUTH_STORE_NOT_WRITABLE",
    when: () => write(single(), nestedTooDeeply()),
  },
  "an aggregate file that is no JSON and is changed": {
    code: "ERR_OAUTH_STORE_CORRUPT",
    async when() {
      await setting.home.write(".credentials.json", HALF);
      return write(setting.store);
    },
  },
  "an aggregate file for something nested too deeply": {
    code: "ERR_OAUTH_STORE_NOT_WRITABLE",
    when: () => write(setting.store, nestedTooDeeply()),
  },
  "an aggregate file that would grow too large": {
    code: "ERR_OAUTH_STORE_NOT_WRITABLE",
    reason: "too-large",
    when: () => write(setting.store, HUGE),
  },
  "an encrypted file whose key is none": {
    code: "ERR_OAUTH_STORE_UNDECRYPTABLE",
    reason: "no-key",
    async when() {
      await encrypt("{}");
      keyring.secrets.set("S key", PLANTED);
      return encrypted().read(KEY);
    },
  },
  "an encrypted file whose key is another": {
    code: "ERR_OAUTH_STORE_UNDECRYPTABLE",
    reason: "other-key",
    async when() {
      await encrypt("{}");
      keyring.secrets.set("S key", ENCRYPTION_KEY.replace("k=", "A="));
      return encrypted().read(KEY);
    },
  },
  "an encrypted file whose key is in a file too large": {
    code: "ERR_OAUTH_STORE_CORRUPT",
    async when() {
      await encrypt("{}");
      const file = await setting.home.write("credentials.key", HUGE);
      const path = setting.home.file("credentials.enc");
      return createEncryptedFileStore({ path, lockPath: `${path}.lock`, key: { file } })
        .read(KEY)
        .finally(() => rm(file));
    },
  },
  "an encrypted file that was altered": {
    code: "ERR_OAUTH_STORE_UNDECRYPTABLE",
    reason: "damaged",
    async when() {
      await encrypt(JSON.stringify({ [KEY]: PLANTED }));
      const path = setting.home.file("credentials.enc");
      const { data, ...envelope } = JSON.parse(await readFile(path, "utf8")) as { data: string };
      const altered = Buffer.from(data, "base64").map((byte) => byte ^ 1);
      await writeFile(path, JSON.stringify({ ...envelope, data: Buffer.from(altered).toString("base64") }));
      return encrypted().read(KEY);
    },
  },
  "an encrypted file with no JSON in it": {
    code: "ERR_OAUTH_STORE_UNDECRYPTABLE",
    reason: "content",
    async when() {
      await encrypt(HALF);
      return encrypted().read(KEY);
    },
  },
  "an encrypted file with no entries in it": {
    code: "ERR_OAUTH_STORE_UNDECRYPTABLE",
    reason: "content",
    async when() {
      await encrypt(JSON.stringify(PLANTED));
      return encrypted().read(KEY);
    },
  },
  "an entry of the keyring that is no JSON": {
    code: "ERR_OAUTH_STORE_CORRUPT",
    async when() {
      keyring.secrets.set(`S ${KEY}`, HALF);
      return inKeyring().read(KEY);
    },
  },
  "an entry of the keyring for something nested too deeply": {
    code: "ERR_OAUTH_STORE_NOT_WRITABLE",
    when: () => write(inKeyring(), nestedTooDeeply()),
  },
  "a keyring that was chosen and fails": {
    code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE",
    reason: "platform",
    async when() {
      const store = await choosing();
      keyring.failWith(new Error(TOLD));
      return store.read(KEY);
    },
  },
  "a keyring that was chosen and holds no JSON": {
    code: "ERR_OAUTH_STORE_CORRUPT",
    async when() {
      const store = await choosing();
      keyring.secrets.set(`S ${KEY}`, HALF);
      return store.read(KEY);
    },
  },
};

describe("a secret that a store has at hand when it throws", () => {
  it.each(Object.entries(PLACES))(
    "is not in the error: %s",
    proves("oauth-store/no-secret-shown"),
    (_, { when, ...ending }) => expectPlantedNowhere(when, ending),
  );
});
