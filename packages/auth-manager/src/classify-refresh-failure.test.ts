import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { classifyRefreshFailure, serverCodeOf } from "./classify-refresh-failure.ts";

describe(classifyRefreshFailure, () => {
  const table: [status: number | undefined, body: unknown, permanent: boolean, reason: string | undefined][] =
    [
      [401, { error: { code: "refresh_token_expired" } }, true, "expired"],
      [400, { error: "refresh_token_expired" }, true, "expired"],
      [401, { error: { code: "refresh_token_reused", message: "used" } }, true, "reused"],
      [401, { code: "refresh_token_reused" }, true, "reused"],
      [403, { error: { code: "REFRESH_TOKEN_INVALIDATED" } }, true, "revoked"],
      [401, { error: { code: "app_session_terminated" } }, true, "other"],
      [400, { error: "invalid_grant" }, true, "other"],
      [400, { error: { code: "invalid_grant" } }, true, "other"],
      [401, { error: "something_new" }, true, "other"],
      // A body that is no answer of the authorization server ends nothing, whatever its status.
      [401, undefined, false, undefined],
      [401, "<html>", false, undefined],
      [401, {}, false, undefined],
      [403, { error: "something_new" }, false, undefined],
      [404, undefined, false, undefined],
      [418, undefined, false, undefined],
      [429, { error: "rate_limited" }, false, undefined],
      [500, undefined, false, undefined],
      [503, { error: "invalid_grant" }, false, undefined],
      [undefined, undefined, false, undefined],
      [400, null, false, undefined],
      [400, { error: null }, false, undefined],
      [400, { error: { code: 7 } }, false, undefined],
      [400, { __proto__: { error: "invalid_grant" } }, false, undefined],
    ];

  it.each(table)(
    "status %s with %j is permanent: %s, %s",
    proves("auth-manager/failure-table"),
    (status, body, permanent, reason) => {
      const failure = classifyRefreshFailure({ status, body });
      expect([failure.permanent, failure.reason]).toEqual([permanent, reason]);
      expect(failure.message).toMatch(permanent ? /Log in again\.$/ : /tried again\.$/);
    },
  );
});

describe(serverCodeOf, () => {
  it("takes the code of the error, then the error, then the code, in lower case", () => {
    expect(serverCodeOf({ error: { code: "A" }, code: "b" })).toBe("a");
    expect(serverCodeOf({ error: "C", code: "b" })).toBe("c");
    expect(serverCodeOf({ error: { message: "x" }, code: "b" })).toBe("b");
  });

  it("passes nothing that does not look like a code", () => {
    expect(serverCodeOf({ error: "your token rt-secret was used" })).toBeUndefined();
    expect(serverCodeOf({ error: "x".repeat(65) })).toBeUndefined();
  });
});
