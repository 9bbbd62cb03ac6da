import type { CredentialStatus } from "@hawser/oauth-store";
import { describe, expect, it } from "vitest";
import { AccountCredential } from "./account-credential.ts";
import type { AccountStatus } from "./account-status.ts";
import { AccountView } from "./account-view.ts";
import { AuthManagerError } from "./errors.ts";
import { type StatusHints, storedStatus } from "./read-status.ts";

const view = new AccountView(
  AccountCredential.parse({ tokens: { access_token: "at", refresh_token: "rt" } }) as AccountCredential,
);
const handle = { view, lineage: "l", generation: 0 };

function read(failure: CredentialStatus<AccountView>["failure"], hints: StatusHints = {}): AccountStatus {
  return storedStatus({ state: "usable", handle, expired: false, failure }, hints);
}

describe(storedStatus, () => {
  const table: [
    code: string,
    permanent: boolean,
    hints: StatusHints,
    token: string | null,
    expected: object,
  ][] = [
    [
      "ERR_OAUTH_STORE_REFUSED",
      true,
      { endedBy: "refresh_token_reused" },
      null,
      { code: "ERR_AUTH_MANAGER_REFUSED", reason: "reused" },
    ],
    ["ERR_OAUTH_STORE_REFUSED", true, {}, null, { code: "ERR_AUTH_MANAGER_REFUSED", reason: "other" }],
    ["ERR_OAUTH_STORE_SUPERSEDED", true, {}, null, { code: "ERR_AUTH_MANAGER_REFUSED", reason: "reused" }],
    ["ERR_OAUTH_STORE_INTERRUPTED", true, {}, null, { code: "ERR_AUTH_MANAGER_INTERRUPTED" }],
    ["ERR_OAUTH_STORE_WRONG_OWNER", true, {}, null, { code: "ERR_AUTH_MANAGER_WRONG_ACCOUNT" }],
    ["ERR_OAUTH_STORE_TRANSIENT", false, {}, "at", { code: "ERR_AUTH_MANAGER_TRANSIENT", permanent: false }],
    ["ERR_OAUTH_STORE_NOT_WRITABLE", false, {}, "at", { code: "ERR_AUTH_MANAGER_STORE", permanent: false }],
  ];
  it.each(table)("%s, permanent: %s", (code, permanent, hints, token, expected) => {
    const status = read({ code, permanent }, hints);
    expect([status.method, status.token]).toEqual(["chatgpt", token]);
    expect(status.failure).toMatchObject(expected);
  });

  it("takes a failure of this very moment when the records have none", () => {
    const refreshError = new AuthManagerError("ERR_AUTH_MANAGER_STORE", "no lock", { retry: "after" });
    expect(read(undefined, { refreshError }).failure).toMatchObject({
      code: "ERR_AUTH_MANAGER_STORE",
      permanent: false,
    });
    const ended = new AuthManagerError("ERR_AUTH_MANAGER_INTERRUPTED", "ended");
    expect(read(undefined, { refreshError: ended }).token).toBeNull();
  });

  it("says nothing of a failure where there is none", () => {
    expect(read(undefined).failure).toBeUndefined();
    const absent = storedStatus({ state: "absent", expired: false }, {});
    expect([absent.method, absent.token, absent.failure]).toEqual([null, null, undefined]);
  });
});
