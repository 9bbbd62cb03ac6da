import { readdir } from "node:fs/promises";
import { proves, spawnChild } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resolveCredentialStore } from "../src/index.ts";
import { type ResolutionSetting, resolutionSetting } from "./support/resolution-setting.ts";

let stores: ResolutionSetting;
beforeEach(async () => {
  stores = await resolutionSetting();
});
afterEach(() => stores.home.remove());

describe(resolveCredentialStore, () => {
  it(
    "without a desktop: a login, a status and a logout succeed, and the entry is gone",
    proves("oauth-store/headless-auto"),
    async () => {
      const { home } = stores;
      const child = spawnChild({
        script: new URL("./children/headless-child.ts", import.meta.url),
        args: [home.path],
        env: { DBUS_SESSION_BUS_ADDRESS: undefined, XDG_RUNTIME_DIR: home.file("none") },
      });
      try {
        const report = await child.receive<Record<string, unknown>>();
        expect(report).toEqual({
          before: "absent",
          after: "usable",
          place: "file",
          logout: {
            removed: true,
            failures: [{ store: "keyring", code: "ERR_OAUTH_STORE_KEYRING_UNAVAILABLE" }],
          },
          end: "absent",
          warnings: ["ERR_OAUTH_STORE_KEYRING_UNAVAILABLE"],
        });
        expect(await readdir(home.path)).not.toContain(".credentials.json");
      } finally {
        await child[Symbol.asyncDispose]();
      }
    },
  );
});
