import { CredentialError, type CredentialErrorCode } from "@hawser/oauth-store";
import { describe, expect, it } from "vitest";
import { accountError } from "./account-error.ts";

describe(accountError, () => {
  const table: [storeCode: CredentialErrorCode, reason: string | undefined, expected: object][] = [
    [
      "ERR_OAUTH_STORE_AUTHORIZATION_REQUIRED",
      undefined,
      { code: "ERR_AUTH_MANAGER_LOGIN_REQUIRED", retry: "never" },
    ],
    [
      "ERR_OAUTH_STORE_REFUSED",
      "refresh_token_expired",
      { code: "ERR_AUTH_MANAGER_REFUSED", reason: "expired" },
    ],
    ["ERR_OAUTH_STORE_REFUSED", "anything", { code: "ERR_AUTH_MANAGER_REFUSED", reason: "other" }],
    ["ERR_OAUTH_STORE_SUPERSEDED", undefined, { code: "ERR_AUTH_MANAGER_REFUSED", reason: "reused" }],
    [
      "ERR_OAUTH_STORE_INTERRUPTED",
      "invalid_grant",
      { code: "ERR_AUTH_MANAGER_INTERRUPTED", retry: "never" },
    ],
    ["ERR_OAUTH_STORE_REPLACED", undefined, { code: "ERR_AUTH_MANAGER_ACCOUNT_CHANGED" }],
    ["ERR_OAUTH_STORE_WRONG_OWNER", undefined, { code: "ERR_AUTH_MANAGER_WRONG_ACCOUNT" }],
    [
      "ERR_OAUTH_STORE_TRANSIENT",
      undefined,
      { code: "ERR_AUTH_MANAGER_TRANSIENT", retry: "after", retryAtMs: 7 },
    ],
    ["ERR_OAUTH_STORE_WAIT_TIMEOUT", undefined, { code: "ERR_AUTH_MANAGER_TRANSIENT", retry: "after" }],
    ["ERR_OAUTH_STORE_HELD_ELSEWHERE", undefined, { code: "ERR_AUTH_MANAGER_TRANSIENT", retry: "after" }],
    ["ERR_OAUTH_STORE_LOCK_TIMEOUT", undefined, { code: "ERR_AUTH_MANAGER_STORE", retry: "after" }],
    ["ERR_OAUTH_STORE_CORRUPT", undefined, { code: "ERR_AUTH_MANAGER_STORE", retry: "never" }],
    ["ERR_OAUTH_STORE_CLOSED", undefined, { code: "ERR_AUTH_MANAGER_CLOSED" }],
  ];
  it.each(table)("%s (%s)", (storeCode, reason, expected) => {
    const error = accountError(new CredentialError(storeCode, "text", { reason, retryAtMs: 7 }));
    expect(error).toMatchObject({ ...expected, storeCode });
    expect(error).not.toHaveProperty("cause");
  });

  it("passes on what is not the store's, such as the reason of a caller's signal", () => {
    const reason = new Error("gave up");
    expect(accountError(reason)).toBe(reason);
  });
});
