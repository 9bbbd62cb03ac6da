import { describe, expect, it } from "vitest";
import { turnErrorFrom, turnErrorOf } from "./turn-error.ts";

describe(turnErrorOf, () => {
  it.each([
    [{ status: 500 }, "internalServerError"],
    [{ status: 401 }, "unauthorized"],
    [{ status: 400 }, "badRequest"],
    [{ status: 429, code: "usage_limit_reached" }, "usageLimitExceeded"],
    [{ status: 429 }, { httpConnectionFailed: { httpStatusCode: 429 } }],
    [{ status: 503, code: "slow_down" }, "serverOverloaded"],
    [{ code: "context_length_exceeded" }, "contextWindowExceeded"],
    [{}, "other"],
  ])("gives %j its meaning", (refusal, info) => {
    expect(turnErrorOf(refusal).codexErrorInfo).toEqual(info);
  });

  it("keeps a stranger's control characters off the terminal", () => {
    expect(turnErrorOf({ message: "bad\u001b[31m\u202etext" }).message).toBe("bad [31m text");
  });
});

describe(turnErrorFrom, () => {
  const failure = (code: string, more: object = {}): Error =>
    Object.assign(new Error("why"), { code, ...more });

  it.each([
    [failure("ERR_TRANSPORT_NETWORK"), { httpConnectionFailed: { httpStatusCode: null } }],
    [failure("ERR_RETRY_SSE_IDLE"), { responseStreamDisconnected: { httpStatusCode: null } }],
    [failure("ERR_OAUTH_STORE_REFUSED", { retry: "never" }), "unauthorized"],
    [failure("ERR_OAUTH_STORE_TRANSIENT", { retry: "after" }), "other"],
    [new TypeError("secret detail"), "other"],
  ])("reads %s", (error, info) => {
    expect(turnErrorFrom(error).codexErrorInfo).toEqual(info);
  });

  it("says nothing of a fault it does not know", () => {
    expect(turnErrorFrom(new TypeError("secret detail")).message).toBe("internal error");
  });
});
