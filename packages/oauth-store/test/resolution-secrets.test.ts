import { writeFile } from "node:fs/promises";
import { expectNoSecret, proves } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resolveCredentialStore } from "../src/index.ts";
import { code } from "./support/code.ts";
import { KEY } from "./support/memory-setting.ts";
import { put, type ResolutionSetting, resolutionSetting } from "./support/resolution-setting.ts";

let stores: ResolutionSetting;
beforeEach(async () => {
  stores = await resolutionSetting();
});
afterEach(() => stores.home.remove());

describe(resolveCredentialStore, () => {
  it("shows no secret in an event or an error", proves("oauth-store/no-secret-shown"), async () => {
    const { home, scripted, events, file, resolved } = stores;
    const secret = "planted-secret-of-two-stores";
    scripted.failWith(new Error(`told: ${secret}`));
    await put(file, secret);
    const store = resolved();
    await store.read(KEY);
    await put(store, `${secret}-2`);
    const error = await resolved({ mode: "keyring" })
      .read(KEY)
      .catch((failure: unknown) => failure);
    await writeFile(home.file(".credentials.json"), secret, { mode: 0o600 });
    const both = await resolved()
      .read(KEY)
      .catch((failure: unknown) => failure);
    expect(both).toEqual(code("UNRESOLVED"));
    expect(events.length).toBeGreaterThan(1);
    expectNoSecret([events, error, both, store], [secret]);
  });
});
