import { startLocalUpstream } from "@hawser/local-upstream";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import type { AppClient } from "./app-client.ts";
import { logInWithKey as logIn, startThread, takeTurn } from "./client-actions.ts";
import { startAppServer } from "./start-app-server.ts";

const text = (words: string) => [{ type: "text", text: words }];

describe("identity", () => {
  it(
    "is that of the connection that sent the turn, in every order and on every thread",
    proves("app-server/identity-of-the-sender"),
    async () => {
      await using upstream = await startLocalUpstream();
      await using server = await startAppServer({ upstream });
      const a = await server.connect("client_a", "1.0.0");
      await logIn(a);
      const threadOfA = await startThread(a);
      await takeTurn(a, threadOfA);
      const b = await server.connect("client-b", "2.5.0");
      const threadOfB = await startThread(b);
      await takeTurn(b, threadOfB);
      await takeTurn(a, threadOfA); // an old thread, after another client has come
      await takeTurn(b, threadOfA, "hello", a); // somebody else's thread: the sender's identity
      await Promise.all([takeTurn(a, threadOfA), takeTurn(b, threadOfB)]);

      const asked = upstream.seen.filter(({ server: at }) => at === "model");
      const identities = asked.map(({ headers }) => [
        headers["originator"],
        /\(([^()]*)\)$/.exec(headers["user-agent"] ?? "")?.[1],
      ]);
      const ofA = ["client_a", "client_a; 1.0.0"];
      const ofB = ["client-b", "client-b; 2.5.0"];
      expect(identities.slice(0, 4)).toEqual([ofA, ofB, ofA, ofB]);
      expect(identities.slice(4).sort()).toEqual([ofB, ofA].sort());
    },
  );
});

describe("a turn", () => {
  it("tells what happens in order", proves("app-server/turn-order"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("a");
    await logIn(client);
    const threadId = await startThread(client);
    await client.notified("mcpServer/startupStatus/updated", ({ status }) => status !== "starting");
    const since = client.order.length;

    const turn = await takeTurn(client, threadId);

    expect(client.order.slice(since)).toEqual([
      "reply turn/start",
      "thread/status/changed",
      "turn/started",
      "item/started",
      "item/completed",
      "item/started",
      ...Array.from({ length: 4 }, () => "item/agentMessage/delta"),
      "item/completed",
      "thread/tokenUsage/updated",
      "account/rateLimits/updated",
      "thread/status/changed",
      "turn/completed",
    ]);
    expect(turn).toMatchObject({
      status: "completed",
      itemsView: "summary",
      items: [{ type: "agentMessage", text: "Hello from the local model." }],
    });
    expect(client.notifications.every(({ emittedAtMs }) => Number.isInteger(emittedAtMs))).toBe(true);
    const { thread } = await client.request<{ thread: { turns: unknown[] } }>("thread/read", {
      threadId,
      includeTurns: true,
    });
    expect(thread.turns).toMatchObject([
      { items: [{ type: "userMessage" }, { type: "agentMessage" }], itemsView: "full" },
    ]);
  });

  it(
    "streams: each delta is here before the next is sent",
    proves("app-server/deltas-as-they-come"),
    async () => {
      await using upstream = await startLocalUpstream();
      await using server = await startAppServer({ upstream });
      const client = await server.connect("a");
      await logIn(client);
      const threadId = await startThread(client);
      const held = upstream.model.holdDeltas();
      const turn = takeTurn(client, threadId);
      const deltas = () => client.notifications.filter(({ method }) => method === "item/agentMessage/delta");

      for (const [index, delta] of ["Hello", " from", " the local"].entries()) {
        held.release(1);
        await client.notified("item/agentMessage/delta", (params) => params["delta"] === delta);
        expect(deltas()).toHaveLength(index + 1);
      }
      held.release();
      expect((await turn).status).toBe("completed");
    },
  );

  it("can be interrupted, upstream too", proves("app-server/interrupt-reaches-upstream"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("a");
    await logIn(client);
    const threadId = await startThread(client);
    const held = upstream.model.holdDeltas();
    const ended = takeTurn(client, threadId);
    held.release(1);
    await client.notified("item/agentMessage/delta");
    const { params } = await client.notified("turn/started");
    const turnId = (params["turn"] as { id: string }).id;

    await expect(client.request("turn/interrupt", { threadId, turnId: "other" })).rejects.toMatchObject({
      message: `expected active turn id other but found ${turnId}`,
    });
    const since = client.order.length;
    expect(await client.request("turn/interrupt", { threadId, turnId })).toEqual({});

    expect(await ended).toMatchObject({ status: "interrupted", items: [] });
    expect(client.order.slice(since)).toEqual([
      "reply turn/interrupt",
      "thread/status/changed",
      "turn/completed",
    ]);
    await expect(client.request("turn/interrupt", { threadId, turnId })).rejects.toMatchObject({
      message: "no active turn to interrupt",
    });
    // Only a stream that its client has left lets go of a delta that was never released.
    held.release();
    expect((await takeTurn(client, threadId)).status).toBe("completed");
    expect(client.notifications.filter(({ params: { delta } }) => delta === " from")).toHaveLength(1);
  });

  it("takes what is said during it", proves("app-server/steering"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("a");
    await logIn(client);
    const threadId = await startThread(client);
    const held = upstream.model.holdDeltas();
    const ended = takeTurn(client, threadId);
    await held.waiting();

    const steered = await client.request<{ turn: { id: string } }>("turn/start", {
      threadId,
      input: text("and more"),
    });
    held.release();

    const turn = await ended;
    expect(turn.status).toBe("completed");
    expect(steered.turn.id).toBe(turn.id);
    expect(client.notifications.filter(({ method }) => method === "turn/started")).toHaveLength(1);
    const asked = upstream.seen.filter(({ server: at }) => at === "model");
    expect(asked).toHaveLength(2);
    const said = expect.objectContaining({ content: [{ type: "input_text", text: "and more" }] });
    expect(asked[1]?.bodyJson).toMatchObject({ input: expect.arrayContaining([said]) });
  });

  it(
    "is heard by those who follow it, and outlives who began it",
    proves("app-server/only-followers"),
    async () => {
      await using upstream = await startLocalUpstream();
      await using server = await startAppServer({ upstream });
      const owner = await server.connect("owner");
      const follower = await server.connect("follower");
      const bystander = await server.connect("bystander");
      const silent = await server.connect("silent", "1", {
        optOutNotificationMethods: ["thread/started", "thread/status/changed"],
      });
      const stranger = await server.connect();
      await logIn(owner);
      const threadId = await startThread(owner);
      const held = upstream.model.holdDeltas();
      await owner.request("turn/start", { threadId, input: text("hi") });
      held.release(1);
      await owner.notified("item/agentMessage/delta");

      const resumed = await follower.request<{ thread: { status: unknown; turns: { status: string }[] } }>(
        "thread/resume",
        { threadId },
      );
      expect(resumed.thread).toMatchObject({ status: { type: "active" }, turns: [{ status: "inProgress" }] });
      await owner.close();
      held.release();
      await follower.notified("turn/completed");
      await bystander.notified(
        "thread/status/changed",
        ({ status }) => (status as { type: string }).type === "idle",
      );

      const deltas = (client: AppClient) =>
        client.notifications.flatMap(({ params: { delta } }) => delta ?? []);
      expect(deltas(follower)).toEqual([" from", " the local", " model."]);
      expect(deltas(bystander)).toEqual([]);
      expect(bystander.order.filter((method) => /^(turn|item)\//.test(method))).toEqual([]);
      expect(silent.order.filter((method) => method.startsWith("thread/"))).toEqual([]);
      expect(stranger.notifications).toEqual([]);
      expect(await follower.request("thread/unsubscribe", { threadId })).toEqual({ status: "unsubscribed" });
      expect(await follower.request("thread/unsubscribe", { threadId })).toEqual({ status: "notSubscribed" });
    },
  );

  it("says why it failed", async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("a");
    const threadId = await startThread(client);
    expect(await takeTurn(client, threadId)).toMatchObject({
      status: "failed",
      error: { codexErrorInfo: "unauthorized" },
    });
    await logIn(client);
    const limit = { error: { type: "usage_limit_reached", message: "no more" } };
    upstream.model.script(
      { status: 500 },
      { status: 429, body: limit, headers: { "retry-after": "3600" } },
      { text: ["half"], ending: "cut" },
      { text: ["half"], ending: { failed: { code: "slow_down", message: "busy" } } },
    );
    for (const codexErrorInfo of [
      "internalServerError",
      "usageLimitExceeded",
      { responseStreamDisconnected: { httpStatusCode: 200 } },
      "serverOverloaded",
    ]) {
      const since = client.order.length;
      expect(await takeTurn(client, threadId)).toMatchObject({ status: "failed", error: { codexErrorInfo } });
      expect(client.order.slice(since).slice(-3)).toEqual([
        "thread/status/changed",
        "error",
        "turn/completed",
      ]);
    }
    expect((await takeTurn(client, threadId)).status).toBe("completed");
  });
});

describe("a turn that fails upstream", () => {
  const attempts = (upstream: { seen: readonly { server: string }[] }) =>
    upstream.seen.filter(({ server }) => server === "model").length;

  it("does not repeat a Cloudflare challenge", proves("app-server/one-budget"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream, requestMaxRetries: 4 });
    const client = await server.connect("a");
    await logIn(client);
    upstream.model.script({ status: 403, headers: { "cf-mitigated": "challenge" } });

    expect(await takeTurn(client, await startThread(client))).toMatchObject({
      status: "failed",
      error: { codexErrorInfo: { httpConnectionFailed: { httpStatusCode: 403 } } },
    });
    expect(attempts(upstream)).toBe(1);
  });

  it("is repeated from one budget, before and after a 401", proves("app-server/one-budget"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream, requestMaxRetries: 2 });
    const client = await server.connect("a");
    const { authUrl } = await client.request<{ authUrl: string }>("account/login/start", { type: "chatgpt" });
    await upstream.account.approve(authUrl);
    await client.notified("account/updated");
    upstream.model.script(
      { status: 503 },
      { status: 401 },
      { status: 503 },
      { status: 503 },
      { status: 503 },
    );

    expect(await takeTurn(client, await startThread(client))).toMatchObject({ status: "failed" });
    // 503, retry: 401, recovery: 503, retry: 503. Two retries and one recovery, not two retries on each side.
    expect(attempts(upstream)).toBe(4);
  });
});

describe("a client that does not read", () => {
  it("is disconnected with 1013 and costs the others nothing", proves("app-server/slow-client"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("reader");
    const slow = await server.connect("slow");
    await logIn(client);
    const threadId = await startThread(client);
    await slow.request("thread/resume", { threadId });
    slow.pause();
    // Far more than the bound and what the kernel keeps for a socket.
    const piece = "x".repeat(1024 * 1024);
    const delta = { type: "response.output_text.delta", item_id: "m", delta: piece };
    const completed = { type: "response.completed", response: { id: "r" } };
    upstream.model.script({ events: [...Array.from({ length: 40 }, () => delta), completed] });

    expect((await takeTurn(client, threadId)).status).toBe("completed");
    expect(client.notifications.filter(({ params }) => params["delta"] === piece)).toHaveLength(40);
    slow.resume();
    expect(await slow.closed).toEqual({ code: 1013, reason: "client reads too slowly" });
  });
});
