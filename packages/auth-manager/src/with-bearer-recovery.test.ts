import { proves } from "@hawser/test-kit";
import {
  createHttpResponse,
  type HttpBody,
  type HttpRequest,
  type HttpTransport,
  headerValue,
  Operation,
} from "@hawser/transport";
import { describe, expect, it } from "vitest";
import { AccountHandle, type AccountHandleFields } from "./account-handle.ts";
import { AuthManagerError } from "./errors.ts";
import { type BearerSource, withBearerRecovery } from "./with-bearer-recovery.ts";

const url = new URL("https://model.example.com/v1/responses");

function handle(accessToken: string, fields: Partial<AccountHandleFields> = {}): AccountHandle {
  const generation = fields.generation ?? 0;
  const all = { method: "chatgpt", accountId: "acct", userId: "user", lineage: "one", ...fields } as const;
  return new AccountHandle({ ...all, accessToken, generation }, { kind: "external", generation });
}

interface Server extends HttpTransport {
  readonly seen: string[];
  readonly requests: HttpRequest[];
  cancelled: number;
}

/** Answers 200 to one bearer and 401 to every other. */
function serverAccepting(bearer: string, answeredFrom: URL = url): Server {
  const server: Server = {
    seen: [],
    requests: [],
    cancelled: 0,
    async send(request) {
      server.requests.push(request);
      const sent = headerValue(request.headers, "authorization")?.replace("Bearer ", "") ?? "none";
      server.seen.push(sent);
      const body = {
        next: async () => ({ done: true, value: undefined }) as const,
        cancel: () => {
          server.cancelled += 1;
        },
      };
      return createHttpResponse({ status: sent === bearer ? 200 : 401, url: answeredFrom, body });
    },
  };
  return server;
}

/** Gives `first`, and what `recover` says for it. */
function source(
  first: AccountHandle | undefined,
  recover: () => Promise<AccountHandle>,
): BearerSource & { recovered: string[] } {
  const recovered: string[] = [];
  return {
    recovered,
    auth: async () => first,
    recover: (rejected) => {
      recovered.push(rejected.accessToken);
      return recover();
    },
  };
}

const request = (more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "POST",
  url,
  headers: [],
  body: "{}",
  ...more,
});

describe(withBearerRecovery, () => {
  it(
    "sends bearer and account of one login, in place of what the caller had set",
    proves("auth-manager/one-handle"),
    async () => {
      const server = serverAccepting("A");
      const headers = [
        ["Authorization", "Bearer stale"],
        ["ChatGPT-Account-Id", "stale"],
        ["accept", "text/event-stream"],
      ] as const;

      await withBearerRecovery(source(handle("A"), async () => handle("B")))(server).send(
        request({ headers }),
      );

      expect(server.requests[0]?.headers).toEqual([
        ["accept", "text/event-stream"],
        ["authorization", "Bearer A"],
        ["chatgpt-account-id", "acct"],
      ]);
    },
  );

  it("answers a 401 once, and gives the rejected response up", async () => {
    const account = source(handle("A"), async () => handle("B", { generation: 1 }));
    const server = serverAccepting("B");

    const response = await withBearerRecovery(account)(server).send(request());

    expect(response.status).toBe(200);
    expect(server.seen).toEqual(["A", "B"]);
    expect(account.recovered).toEqual(["A"]);
    expect(server.cancelled).toBe(1);
  });

  it("sends at most twice", proves("auth-manager/two-sends"), async () => {
    const server = serverAccepting("nothing");
    const response = await withBearerRecovery(
      source(handle("A"), async () => handle("B", { generation: 1 })),
    )(server).send(request());

    expect(response.status).toBe(401);
    expect(server.seen).toEqual(["A", "B"]);
  });

  it("surfaces the 401 of an API key as it came", async () => {
    const account = source(handle("sk", { method: "apikey", accountId: undefined }), async () => handle("B"));
    const server = serverAccepting("B");

    const response = await withBearerRecovery(account)(server).send(request());

    expect(response.status).toBe(401);
    expect([server.seen, account.recovered, server.cancelled]).toEqual([["sk"], [], 0]);
  });

  it(
    "recovers but does not resend a body that can be read once",
    proves("auth-manager/body-once"),
    async () => {
      const account = source(handle("A"), async () => handle("B", { generation: 1 }));
      const server = serverAccepting("B");
      const stream: HttpBody = (async function* () {
        yield new Uint8Array([1]);
      })();

      const response = await withBearerRecovery(account)(server).send(request({ body: stream }));

      expect(response.status).toBe(401);
      expect([server.seen, account.recovered, server.cancelled]).toEqual([["A"], ["A"], 0]);
    },
  );

  it("hands the 401 of such a body over even when the recovery fails", async () => {
    const account = source(handle("A"), async () => {
      throw new AuthManagerError("ERR_AUTH_MANAGER_REFUSED", "ended");
    });
    const body = new ReadableStream<Uint8Array>();
    const response = await withBearerRecovery(account)(serverAccepting("B")).send(request({ body }));
    expect(response.status).toBe(401);
  });

  it(
    "does not send one account's request with another account's bearer",
    proves("auth-manager/same-account"),
    async () => {
      const account = source(handle("A"), async () => handle("B", { accountId: "other", lineage: "two" }));
      const server = serverAccepting("B");

      await expect(withBearerRecovery(account)(server).send(request())).rejects.toMatchObject({
        code: "ERR_AUTH_MANAGER_ACCOUNT_CHANGED",
        retry: "never",
      });
      expect(server.seen).toEqual(["A"]);
    },
  );

  it("sends again after a new login to the same account", async () => {
    const account = source(handle("A"), async () => handle("B", { lineage: "two" }));
    const server = serverAccepting("B");
    expect((await withBearerRecovery(account)(server).send(request())).status).toBe(200);
  });

  it("charges nothing to the token for a 401 of another origin, which never saw it", async () => {
    const account = source(handle("A"), async () => handle("B"));
    const server = serverAccepting("B", new URL("https://elsewhere.example.com/"));

    const response = await withBearerRecovery(account)(server).send(request());

    expect([response.status, account.recovered]).toEqual([401, []]);
  });

  it("sends nothing after the operation's deadline", proves("auth-manager/deadline"), async () => {
    let nowMs = 0;
    const operation = Operation.start({ label: "turn", timeoutMs: 60_000, now: () => nowMs });
    const account = source(handle("A"), async () => {
      nowMs = 60_000;
      return handle("B", { generation: 1 });
    });
    const server = serverAccepting("B");

    await expect(withBearerRecovery(account)(server).send(request({ operation }))).rejects.toMatchObject({
      code: "ERR_AUTH_MANAGER_DEADLINE",
    });
    expect(server.seen).toEqual(["A"]);
  });

  it("stops waiting for a recovery when the deadline passes, and says so", async () => {
    const operation = Operation.start({ label: "turn", timeoutMs: 20 });
    const account: BearerSource = {
      auth: async () => handle("A"),
      recover: (_rejected, options) =>
        new Promise((_resolve, reject) => {
          options?.signal?.addEventListener("abort", () => reject(options.signal?.reason), { once: true });
        }),
    };
    await expect(
      withBearerRecovery(account)(serverAccepting("B")).send(request({ operation })),
    ).rejects.toMatchObject({ code: "ERR_AUTH_MANAGER_DEADLINE" });
  });

  it("sends nothing for a caller who gave up meanwhile", async () => {
    const caller = new AbortController();
    const account = source(handle("A"), async () => {
      caller.abort(new Error("gave up"));
      return handle("B", { generation: 1 });
    });
    const server = serverAccepting("B");

    await expect(
      withBearerRecovery(account)(server).send(request({ signal: caller.signal })),
    ).rejects.toThrow("gave up");
    expect(server.seen).toEqual(["A"]);
  });

  it("sends nothing when nobody is logged in", async () => {
    const server = serverAccepting("B");
    await expect(
      withBearerRecovery(source(undefined, async () => handle("B")))(server).send(request()),
    ).rejects.toMatchObject({ code: "ERR_AUTH_MANAGER_LOGIN_REQUIRED" });
    expect(server.seen).toEqual([]);
  });

  it("passes on why a login could not be recovered", async () => {
    const account = source(handle("A"), async () => {
      throw new AuthManagerError("ERR_AUTH_MANAGER_REFUSED", "ended", { reason: "reused" });
    });
    await expect(withBearerRecovery(account)(serverAccepting("B")).send(request())).rejects.toMatchObject({
      code: "ERR_AUTH_MANAGER_REFUSED",
      reason: "reused",
    });
  });
});
