import type { CredentialAge } from "@hawser/oauth-store";
import { makeJwt, proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { AccountCredential } from "./account-credential.ts";
import { refreshNeed } from "./refresh-need.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const nowMs = Date.parse("2026-11-20T12:00:00Z");

function credential(fields: { accessToken?: string; lastRefreshMs?: number }): AccountCredential {
  const { accessToken = "opaque", lastRefreshMs } = fields;
  const parsed = AccountCredential.parse({
    tokens: { access_token: accessToken, refresh_token: "rt" },
    ...(lastRefreshMs === undefined ? {} : { last_refresh: new Date(lastRefreshMs).toISOString() }),
  });
  if (parsed === undefined) throw new Error("not parsed");
  return parsed;
}

/** A token that has `leftMs` to live, of `lifetimeMs` altogether. */
const jwt = (leftMs: number, lifetimeMs = 60 * minute) =>
  makeJwt({ exp: (nowMs + leftMs) / 1000, iat: (nowMs + leftMs - lifetimeMs) / 1000 });

describe(refreshNeed, () => {
  const table: [what: string, AccountCredential, Partial<CredentialAge>, string][] = [
    ["11 minutes left", credential({ accessToken: jwt(11 * minute) }), {}, "no"],
    ["9 minutes left", credential({ accessToken: jwt(9 * minute) }), {}, "soon"],
    ["20 seconds left", credential({ accessToken: jwt(20_000) }), {}, "first"],
    ["run out", credential({ accessToken: jwt(-1000) }), {}, "now"],
    ["a life of 5 minutes, 4 left", credential({ accessToken: jwt(4 * minute, 5 * minute) }), {}, "no"],
    ["a life of 5 minutes, 2 left", credential({ accessToken: jwt(2 * minute, 5 * minute) }), {}, "soon"],
    ["a life of 20 seconds, 15 left", credential({ accessToken: jwt(15_000, 20_000) }), {}, "no"],
    [
      "fresh, last refreshed 9 days ago",
      credential({ accessToken: jwt(30 * minute), lastRefreshMs: nowMs - 9 * day }),
      {},
      "no",
    ],
    ["opaque, 9 days old", credential({ lastRefreshMs: nowMs - 9 * day }), {}, "soon"],
    ["opaque, 7 days old", credential({ lastRefreshMs: nowMs - 7 * day }), {}, "no"],
    ["opaque, of unknown age", credential({}), {}, "no"],
    ["marked as not to be sent", credential({ accessToken: jwt(30 * minute), lastRefreshMs: 0 }), {}, "now"],
    [
      "expired by a clock that is a day ahead, but received a minute ago",
      credential({ accessToken: jwt(-day) }),
      { receivedAtMs: nowMs - minute, lifetimeMs: 60 * minute },
      "no",
    ],
    [
      "opaque with a known lifetime that is over",
      credential({ lastRefreshMs: nowMs }),
      { receivedAtMs: nowMs - 61 * minute, lifetimeMs: 60 * minute },
      "now",
    ],
  ];
  it.each(table)("%s", proves("auth-manager/refresh-ahead"), (_what, held, age, need) => {
    expect(refreshNeed(held, { nowMs, ...age })).toBe(need);
  });

  it("has nothing to refresh of an API key", () => {
    expect(refreshNeed(AccountCredential.fromApiKey("sk-1"), { nowMs })).toBe("no");
  });
});
