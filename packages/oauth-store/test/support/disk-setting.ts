import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { fileStore } from "./file-store.ts";
import { loopbackGrant } from "./loopback-grant.ts";
import { memorySetting, type Setting, type SettingOptions } from "./memory-setting.ts";
import { secretNet } from "./secret-net.ts";
import { startTokenServer } from "./token-server.ts";

/** For tests of what a session does wherever it is kept. */
export const bothSettings = [
  ["in memory", memorySetting],
  ["over files, locks and sockets", diskSetting],
] as const;

/** The same setting with everything real: files and locks in a home of its own, a token endpoint on loopback. */
function diskSetting(over: SettingOptions = {}): Setting {
  const home = mkdtempSync(join(tmpdir(), "hawser-test-"));
  const { wrap = (store) => store, ...rest } = over;
  let server: ReturnType<typeof startTokenServer> | undefined;
  const setting = memorySetting({
    store: wrap(fileStore(home)),
    home,
    refreshGrant: async (input) => {
      setting.grants.push(input);
      server ??= startTokenServer(setting.authority);
      return loopbackGrant((await server).url)(input);
    },
    ...rest,
  });
  onTestFinished(async () => {
    try {
      for (const session of setting.sessions) await session[Symbol.asyncDispose]();
      secretNet.search(home);
    } finally {
      await (await server)?.close();
      rmSync(home, { recursive: true });
    }
  });
  return setting;
}
