import { type LocalUpstream, startLocalUpstream } from "@hawser/local-upstream";
import { makeJwt, proves } from "@hawser/test-kit";
import { createUndiciTransport, type HttpRequest, type HttpResponse } from "@hawser/transport";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withBearerRecovery } from "../src/index.ts";
import { openAccount } from "./open-account.ts";

let upstream: LocalUpstream;
beforeAll(async () => {
  upstream = await startLocalUpstream({ quiet: true });
});
afterAll(() => upstream[Symbol.asyncDispose]());

const models = (): HttpRequest => ({
  method: "GET",
  url: new URL(`${upstream.model.baseUrl.href}/models`),
  headers: [],
});
const calls = () => upstream.seen.filter((one) => one.server === "model").length;

async function drained(response: HttpResponse): Promise<number> {
  await response.bytes();
  return response.status;
}

describe(withBearerRecovery, () => {
  it(
    "answers 50 rejected requests with one refresh and one more send each",
    proves("auth-manager/storm"),
    async () => {
      await using account = await openAccount(upstream);
      await account.seed();
      await using wire = createUndiciTransport();
      const model = withBearerRecovery(account.manager)(wire);
      expect(await drained(await model.send(models()))).toBe(200);
      upstream.account.expireAccessTokens();
      const before = calls();

      const statuses = await Promise.all(
        Array.from({ length: 50 }, async () => drained(await model.send(models()))),
      );

      expect(new Set(statuses)).toEqual(new Set([200]));
      expect(account.refreshes()).toBe(1);
      expect(calls() - before).toBeLessThanOrEqual(100);
    },
  );

  it("asks nobody's model again once the login has ended", async () => {
    await using account = await openAccount(upstream);
    await account.seed();
    await using wire = createUndiciTransport();
    const model = withBearerRecovery(account.manager)(wire);
    upstream.account.expireAccessTokens();
    upstream.account.refuseRefresh("refresh_token_invalidated");
    await expect(model.send(models())).rejects.toMatchObject({
      code: "ERR_AUTH_MANAGER_REFUSED",
      reason: "revoked",
    });
    const before = calls();
    await expect(model.send(models())).rejects.toMatchObject({ code: "ERR_AUTH_MANAGER_REFUSED" });
    expect([calls() - before, account.refreshes()]).toEqual([0, 1]);
    upstream.account.refuseRefresh(undefined);
  });

  it("lets the owner of outside credentials replace them", async () => {
    await using account = await openAccount(upstream);
    await using wire = createUndiciTransport();
    const good = upstream.account.issueTokens();
    const accountId = "acct-outside";
    const asked: string[] = [];
    account.manager.useExternalTokens({ accessToken: makeJwt({ jti: "stale" }), accountId }, async (ask) => {
      asked.push(`${ask.reason} ${ask.previousAccountId}`);
      return { accessToken: good.accessToken, accountId };
    });
    const response = await withBearerRecovery(account.manager)(wire).send(models());
    expect([await drained(response), asked]).toEqual([200, ["unauthorized acct-outside"]]);
  });
});
