import { expectNoSecret, makeJwt, proves } from "@hawser/test-kit";
import { describe, expect, it, vi } from "vitest";
import { ExternalAccount, type ExternalRefresher } from "./external-account.ts";

const jwt = (name: string) =>
  makeJwt({ jti: name, "https://api.openai.com/auth": { chatgpt_plan_type: "team" } });
const first = { accessToken: jwt("first"), accountId: "acct" };
const second = { accessToken: jwt("second"), accountId: "acct" };

describe(ExternalAccount, () => {
  it(
    "asks the owner once, however many requests were rejected",
    proves("auth-manager/external-once"),
    async () => {
      const asked: unknown[] = [];
      const owner = Promise.withResolvers<typeof second>();
      const account = new ExternalAccount(first, (ask) => {
        asked.push({ reason: ask.reason, previousAccountId: ask.previousAccountId });
        return owner.promise;
      });
      const rejected = account.handle;

      const waiting = Array.from({ length: 50 }, () => account.recover(rejected));
      owner.resolve(second);
      const handles = await Promise.all(waiting);

      expect(asked).toEqual([{ reason: "unauthorized", previousAccountId: "acct" }]);
      expect(new Set(handles).size).toBe(1);
      expect(handles[0]).toMatchObject({ method: "chatgptAuthTokens", accountId: "acct", generation: 1 });
      expect(handles[0]?.accessToken).toBe(second.accessToken);
    },
  );

  it("gives a late 401 the newer token without asking", async () => {
    const owner = vi.fn<ExternalRefresher>(async () => second);
    const account = new ExternalAccount(first, owner);
    const rejected = account.handle;
    await account.recover(rejected);
    await expect(account.recover(rejected)).resolves.toBe(account.handle);
    expect(owner).toHaveBeenCalledTimes(1);
  });

  const refusals: [what: string, refresher: ExternalRefresher, code: string][] = [
    [
      "an error",
      async () => Promise.reject(new Error("tok-planted-by-owner")),
      "ERR_AUTH_MANAGER_EXTERNAL_REFRESH",
    ],
    ["the rejected token again", async () => first, "ERR_AUTH_MANAGER_EXTERNAL_REFRESH"],
    ["another account", async () => ({ ...second, accountId: "other" }), "ERR_AUTH_MANAGER_WRONG_ACCOUNT"],
    [
      "a token that is no JWT",
      async () => ({ ...second, accessToken: "tok-planted-by-owner" }),
      "ERR_AUTH_MANAGER_EXTERNAL_INVALID",
    ],
  ];
  it.each(refusals)(
    "keeps what it has when the owner answers with %s, and shows no text of theirs",
    async (_what, refresher, code) => {
      const account = new ExternalAccount(first, refresher);
      const before = account.handle;
      const error: unknown = await account.recover(before).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code });
      expectNoSecret(error, ["tok-planted-by-owner", first.accessToken, second.accessToken]);
      expect(account.handle).toBe(before);
    },
  );

  it("asks again after a failure", async () => {
    const owner = vi
      .fn<ExternalRefresher>()
      .mockRejectedValueOnce(new Error("no"))
      .mockResolvedValueOnce(second);
    const account = new ExternalAccount(first, owner);
    await expect(account.recover(account.handle)).rejects.toThrow();
    await expect(account.recover(account.handle)).resolves.toMatchObject({ generation: 1 });
  });

  it("gives an owner who does not answer 10 s", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      // AbortSignal.timeout runs on a clock that cannot be faked, so the same signal is made on one that can.
      vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
        const controller = new AbortController();
        setTimeout(() => controller.abort(new DOMException("timeout", "TimeoutError")), ms);
        return controller.signal;
      });
      let signal: AbortSignal | undefined;
      const account = new ExternalAccount(first, (ask) => {
        signal = ask.signal;
        return new Promise(() => undefined);
      });
      const failed = expect(account.recover(account.handle)).rejects.toMatchObject({
        code: "ERR_AUTH_MANAGER_EXTERNAL_REFRESH",
        retry: "after",
      });
      await vi.advanceTimersByTimeAsync(10_000);
      await failed;
      expect(signal?.aborted).toBe(true);
    } finally {
      vi.restoreAllMocks();
      vi.useRealTimers();
    }
  });

  it.each([
    [{ ...first, accessToken: "opaque" }],
    [{ ...first, accountId: "" }],
    [{ ...first, accountId: "a\r\nb: c" }],
  ])("refuses credentials that cannot be used", (tokens) => {
    expect(() => new ExternalAccount(tokens, async () => second)).toThrow(
      expect.objectContaining({ code: "ERR_AUTH_MANAGER_EXTERNAL_INVALID" }),
    );
  });

  it("takes the plan from the caller, else from the token, else says unknown", () => {
    const plan = (tokens: ConstructorParameters<typeof ExternalAccount>[0]) =>
      new ExternalAccount(tokens, async () => second).planType;
    expect(plan({ ...first, planType: "pro" })).toBe("pro");
    expect(plan(first)).toBe("team");
    expect(plan({ ...first, accessToken: makeJwt({}) })).toBe("unknown");
  });
});
