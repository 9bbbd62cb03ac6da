import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, it } from "vitest";

it.each([
  ["mcp-client.ts", 'still logged in"}]] refreshes: 1'],
  ["official-client.ts", "10 calls, refreshes: 1"],
  ["oauth-client-provider.ts", '[{"type":"text","text":"hello"}]'],
  ["any-sdk.ts", "fine, sent 2 times as my_editor"],
  ["event-stream.ts", "delta hello\ndone {}"],
])("%s runs and says what it promises", (file, says) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=hawser-source", path.join(import.meta.dirname, file)],
    {
      encoding: "utf8",
      timeout: 20_000,
    },
  );
  expect(stderr.replace(/^.*(ExperimentalWarning|--trace-warnings).*\n/gm, "")).toBe("");
  expect(stdout).toContain(says);
  expect(status).toBe(0);
});
