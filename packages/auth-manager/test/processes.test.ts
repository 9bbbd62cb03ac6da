import { readFile } from "node:fs/promises";
import { type LocalUpstream, startLocalUpstream } from "@hawser/local-upstream";
import { proves, spawnChild } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAccount } from "./open-account.ts";

let upstream: LocalUpstream;
beforeAll(async () => {
  upstream = await startLocalUpstream({ quiet: true });
});
afterAll(() => upstream[Symbol.asyncDispose]());

/** Three processes that refresh the login in `home` at the same moment; what each then holds. */
async function refreshTogether(home: string): Promise<unknown[]> {
  const script = new URL("./refresh-account.child.ts", import.meta.url);
  const children = Array.from({ length: 3 }, () =>
    spawnChild({ script, args: [home, upstream.account.issuer.href] }),
  );
  try {
    await Promise.all(children.map((child) => child.receive()));
    for (const child of children) child.send("go");
    return await Promise.all(children.map((child) => child.receive()));
  } finally {
    await Promise.all(children.map((child) => child[Symbol.asyncDispose]()));
  }
}

describe("three processes that share a home", () => {
  it("refresh once and hold the same token", proves("auth-manager/one-refresh"), async () => {
    await using account = await openAccount(upstream);
    await account.seed();

    const held = await refreshTogether(account.home.path);

    const saved = JSON.parse(await readFile(account.home.file("auth.json"), "utf8"));
    const expected = { method: "chatgpt", token: saved.tokens.access_token, reason: null };
    expect(held).toEqual([expected, expected, expected]);
    expect(account.refreshes()).toBe(1);
  });

  it("are refused once, and all know why", proves("auth-manager/refused-once"), async () => {
    await using account = await openAccount(upstream);
    await account.seed();
    upstream.account.refuseRefresh("refresh_token_expired");

    const held = await refreshTogether(account.home.path);

    const expected = { method: "chatgpt", token: null, reason: "expired" };
    expect(held).toEqual([expected, expected, expected]);
    expect(account.refreshes()).toBe(1);
  });
});
