import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { proves, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimedFile } from "../src/claimed-file.ts";
import { flockProvider } from "../src/flock-provider.ts";
import { decodeHeader } from "../src/record-codec.ts";
import type { SpendHeader } from "../src/spend-header.ts";

const header: SpendHeader = {
  version: 1,
  fingerprint: "f".repeat(32),
  state: "claimed",
  attempt: 1,
  reason: "expiry",
  claimedAtMs: 1,
  leaseUntilMs: 2,
  failures: 0,
  uncertain: false,
  lineage: "l",
  generation: 0,
  snapshotHash: "s",
  clientHash: "c",
  owner: { host: "h", boot: "b", pid: 1 },
};

let home: TemporaryHome;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(() => home.remove());

function claim() {
  const path = home.file("record");
  writeFileSync(path, Buffer.alloc(65_536), { mode: 0o600 });
  const descriptor = openSync(path, "r+");
  return {
    path,
    descriptor,
    record: claimedFile({ header, path, descriptor, locks: flockProvider() }),
  };
}

describe(claimedFile, () => {
  it(
    "writes in turn what is asked of it at once, and closes behind it",
    proves("oauth-store/record-turns"),
    async () => {
      const { path, record } = claim();
      const writes = ["held", "sealed", "settled"].map((state) =>
        record.write({ ...header, state: state as SpendHeader["state"] }),
      );
      record.close();
      expect(record.isIntact()).toBe(false);
      await Promise.all(writes);
      expect(decodeHeader(readFileSync(path))).toMatchObject({ state: "settled" });
    },
  );

  it(
    "never writes into a file that was given its descriptor's number after it was closed",
    proves("oauth-store/record-turns"),
    async () => {
      const { record, descriptor } = claim();
      record.close();
      const other = openSync(home.file("other"), "w+");
      expect(other).toBe(descriptor);
      await expect(record.write(header)).rejects.toMatchObject({ code: "ERR_OAUTH_STORE_NOT_WRITABLE" });
      await expect(record.seal(header, Buffer.alloc(10))).rejects.toMatchObject({ reason: "EBADF" });
      record.close();
      expect(readFileSync(home.file("other"))).toHaveLength(0);
      closeSync(other);
    },
  );
});
