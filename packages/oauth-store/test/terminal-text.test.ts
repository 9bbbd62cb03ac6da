import { readdir, writeFile } from "node:fs/promises";
import { proves } from "@hawser/test-kit";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  CredentialError,
  createCredentialSession,
  createKeyringStore,
  flockProvider,
  oauthCredential,
  observeStoreDrift,
  type RefreshGrantAnswer,
  resolveCredentialStore,
  storeKey,
} from "../src/index.ts";
import { type HomeSetting, homeSetting } from "./support/home-setting.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { scriptedKeyring } from "./support/scripted-keyring.ts";

let setting: HomeSetting;
beforeEach(async () => {
  setting = await homeSetting();
});
afterEach(() => setting[Symbol.asyncDispose]());

/** A colour, a title, a C1 sequence, bidirectional overrides, an isolate, line ends of all kinds, a lone surrogate. */
const EVIL = "\u001b[31m\u001b]0;x\u0007\u009b2J\u202e\u2066\u200f\r\n\u0085\u2028\u2029\ud800evil";
const OBEYED = /[\p{C}\p{Zl}\p{Zp}]/u;

const name = `server ${EVIL}`;
const key = storeKey(name, "https://mcp.example/mcp");
const credential = { ...credentialOf({ accessToken: "at", refreshToken: "a-refresh-token-that-is-long" }) };

/** Every text in a value but those under `key`, which name a credential for programs. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (value instanceof Error) {
    const { stack = "", ...more } = value;
    return [value.message, value.name, ...stack.split("\n"), ...textsOf(more)];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([member, inner]) =>
    member === "key" ? [] : [member, ...textsOf(inner)],
  );
}

it(
  "what a server calls itself and answers is not obeyed by whoever prints an error, an event or an explanation",
  proves("oauth-store/nothing-for-terminals"),
  async () => {
    const { home, store } = setting;
    const shown: unknown[] = [];
    const answers: RefreshGrantAnswer[] = [
      { sent: "unknown", code: EVIL },
      { sent: "no", code: EVIL },
      { sent: "yes", status: 400, body: Buffer.from(JSON.stringify({ error: EVIL })), correlationId: EVIL },
      { sent: "yes", status: 200, body: Buffer.from(EVIL) },
      {
        sent: "yes",
        status: 200,
        body: Buffer.from(
          JSON.stringify({
            access_token: "b",
            token_type: EVIL,
            refresh_token: "its-successor-that-is-long",
          }),
        ),
        correlationId: EVIL,
      },
      { sent: "yes", status: 400, body: Buffer.from(`{"error":"invalid_grant"}`), correlationId: EVIL },
    ];
    for (const answer of answers) {
      await store.update(key, () => ({
        write: oauthCredential.serialize({ ...credential, serverName: name }),
      }));
      const session = createCredentialSession({
        kind: oauthCredential,
        store,
        key,
        home: home.path,
        refreshGrant: async () => answer,
        clock: { wallMs: () => Date.now() + 3_600_000 * shown.length, monotonicMs: () => performance.now() },
      });
      session.onEvent((event) => shown.push(event));
      shown.push(await session.ensureFresh().catch((error: unknown) => error));
      shown.push(await session.explain(), (await session.status()).failure);
      await session[Symbol.asyncDispose]();
    }

    const keyring = scriptedKeyring();
    keyring.failWith(new Error(`locked ${EVIL}`));
    const drift = observeStoreDrift({
      home: home.path,
      onDrift: (report) => shown.push(report),
      onFailure: (code) => shown.push(code),
    });
    const place = { key, mode: "auto", keyringBackend: "k", reason: "auto_load_keyring" } as const;
    drift.observe({ type: "resolved", ...place, place: "file" });
    drift.observe({ type: "resolved", ...place, place: "keyring" });
    await drift.settle();
    const resolved = resolveCredentialStore({
      mode: "auto",
      file: store,
      keyring: createKeyringStore({ service: EVIL, lockDirectory: home.file("locks"), keyring }),
      onEvent: (event) => shown.push(event),
    });
    await resolved.read(key);
    await writeFile(setting.path, EVIL, { mode: 0o600 });
    shown.push(await resolved.read(key).catch((error: unknown) => error));
    shown.push(await store.update(key, () => "keep").catch((error: unknown) => error));
    for (const lock of await readdir(home.file("locks"))) {
      const held = await flockProvider().acquire(home.file("locks", lock));
      shown.push(
        await flockProvider()
          .acquire(home.file("locks", lock), { timeoutMs: 0 })
          .catch((error: unknown) => error),
      );
      held.release();
    }

    shown.push(
      new CredentialError("ERR_OAUTH_STORE_TRANSIENT", "of a store made elsewhere", { reason: EVIL }),
    );

    const texts = shown.flatMap(textsOf);
    expect(shown.length).toBeGreaterThan(25);
    expect(texts.filter((text) => text.includes("evil")).length).toBeGreaterThan(3);
    expect(texts.filter((text) => OBEYED.test(text))).toEqual([]);
  },
);
