import { type LocalUpstream, type SeenRequest, startLocalUpstream } from "@hawser/local-upstream";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import type { AppClient } from "./app-client.ts";
import { logInToServer, logInWithBrowser, logInWithDevice, startThread, takeTurn } from "./client-actions.ts";
import { type StartedAppServer, startAppServer } from "./start-app-server.ts";
import { startExecServer } from "./start-exec-server.ts";

const isLong = process.env["HAWSER_TEST_LONG"] === "1";

const echo = (client: AppClient, threadId: string, text: string) =>
  client.request("mcpServer/tool/call", { threadId, server: "secure", tool: "echo", arguments: { text } });

const serverIs = (client: AppClient, wanted: string) =>
  client.notified("mcpServer/startupStatus/updated", ({ status }) => status === wanted);

/** An identity as it stands on the wire. */
interface Identity {
  readonly originator: string | undefined;
  readonly userAgent: string | undefined;
}

const identityOf = ({ headers }: Pick<SeenRequest, "headers">): Identity => ({
  originator: headers["originator"],
  userAgent: headers["user-agent"],
});

/** Connects a client and says what its requests must carry: the User-Agent that it was told, and its own name. */
async function join(server: StartedAppServer, name: string, version: string) {
  const client = await server.connect();
  const { userAgent } = await client.initialize(name, version);
  return { client, identity: { originator: name, userAgent: userAgent as string } };
}

/** Everything this process sends, and whose work it is. A new caller joins the list, or fails the walk. */
const callers: readonly {
  readonly what: string;
  readonly whose: "client" | "process" | "browser";
  readonly is: (seen: SeenRequest) => boolean;
}[] = [
  ...ofMcp("initialize", "process"),
  ...ofMcp("notifications/initialized", "process"),
  ...ofMcp("notifications/cancelled", "process"),
  ...ofMcp("tools/list", "process"),
  ...ofMcp("tools/call", "client"),
  {
    what: "MCP event stream",
    whose: "process",
    is: ({ server, method, path, headers }) =>
      server === "mcp" &&
      method === "GET" &&
      path === "/mcp" &&
      headers["accept"]?.includes("event-stream") === true &&
      headers["mcp-session-id"] !== undefined,
  },
  { what: "MCP farewell", whose: "process", is: at("mcp", "DELETE", "/mcp") },
  {
    what: "question for an MCP server's login",
    whose: "client",
    is: (seen) => at("mcp", "GET", "/mcp")(seen) && seen.headers["mcp-session-id"] === undefined,
  },
  {
    what: "MCP resource metadata",
    whose: "client",
    is: at("mcp", "GET", "/.well-known/oauth-protected-resource/mcp"),
  },
  {
    what: "MCP authorization server metadata",
    whose: "client",
    is: at("oauth", "GET", "/.well-known/oauth-authorization-server"),
  },
  { what: "MCP client registration", whose: "client", is: at("oauth", "POST", "/reg") },
  { what: "MCP code exchange", whose: "client", is: grant("oauth", "authorization_code") },
  { what: "MCP refresh", whose: "process", is: grant("oauth", "refresh_token") },
  { what: "model request", whose: "client", is: at("model", "POST", "/v1/responses") },
  { what: "account code exchange", whose: "client", is: grant("account", "authorization_code") },
  { what: "account refresh", whose: "process", is: grant("account", "refresh_token") },
  { what: "account revocation", whose: "process", is: at("account", "POST", "/oauth/revoke") },
  { what: "device code", whose: "client", is: at("account", "POST", "/api/accounts/deviceauth/usercode") },
  { what: "device poll", whose: "client", is: at("account", "POST", "/api/accounts/deviceauth/token") },
  {
    what: "MCP login page",
    whose: "browser",
    is: ({ server, method, path }) =>
      server === "oauth" && method === "GET" && /^\/(auth|interaction)\b/.test(path),
  },
  { what: "account login page", whose: "browser", is: at("account", "GET", "/oauth/authorize") },
];

function ofMcp(rpcMethod: string, whose: "client" | "process") {
  return [{ what: rpcMethod, whose, is: (seen: SeenRequest) => seen.rpcMethod === rpcMethod }];
}

function at(server: SeenRequest["server"], method: string, path: string) {
  return (seen: SeenRequest): boolean =>
    seen.server === server && seen.method === method && seen.path === path;
}

function grant(server: SeenRequest["server"], kind: string) {
  return (seen: SeenRequest): boolean => seen.server === server && seen.grant === kind;
}

/** Makes the app-server send everything it can send. */
async function exerciseAll(upstream: LocalUpstream, server: StartedAppServer, client: AppClient) {
  const threadId = await startThread(client);
  await serverIs(client, "failed");
  await client.request("mcpServerStatus/list", {});
  await logInToServer(client, upstream);
  await serverIs(client, "ready");
  await logInWithDevice(client, upstream);
  await logInWithBrowser(client, upstream);
  expect(await takeTurn(client, threadId, "use the tool")).toMatchObject({ status: "completed" });

  const call = upstream.mcp.holdToolCalls(1);
  const input = [{ type: "text", text: "use the tool" }];
  const { turn } = await client.request<{ turn: { id: string } }>("turn/start", { threadId, input });
  await call.held;
  await client.request("turn/interrupt", { threadId, turnId: turn.id });
  await upstream.waitFor(({ rpcMethod }) => rpcMethod === "notifications/cancelled");
  call.release();

  await client.request("getAuthStatus", { refreshToken: true });
  upstream.account.expireAccessTokens();
  expect(await takeTurn(client, threadId)).toMatchObject({ status: "completed" });
  await upstream.mcp.destroyAccessTokens();
  await echo(client, threadId, "with a new token");
  upstream.mcp.dropSessions();
  // Inside a turn all runs for its sender; the session that it needs is still everybody's.
  expect(await takeTurn(client, threadId, "use the tool")).toMatchObject({ status: "completed" });
  await client.request("account/logout");
  server.child.kill("SIGTERM");
  expect(await server.exited).toEqual({ code: 0, signal: null });
}

/** The process's identity, from what a client of it was told: the same machine and terminal, and no client. */
const ofProcess = ({ originator, userAgent }: Identity): Identity => {
  const text = userAgent ?? "";
  return {
    originator: "hawser",
    userAgent: `hawser${text.slice(originator?.length, text.lastIndexOf(" ("))}`,
  };
};

describe("everything that this process sends", () => {
  it.each([["from here"], ["through an exec-server"]])(
    "carries the identity of whose work it is (MCP %s)",
    proves("app-server/every-caller-has-one"),
    async (way) => {
      await using upstream = await startLocalUpstream();
      await using execServer = await startExecServer({ env: { SSL_CERT_FILE: upstream.ca.file } });
      const isRemote = way === "through an exec-server";
      await using server = await startAppServer({ upstream, execServer: isRemote ? execServer : undefined });
      const { client, identity } = await join(server, "client_a", "1.0.0");
      await join(server, "rival", "9.9");

      await exerciseAll(upstream, server, client);

      const page = { originator: undefined, userAgent: "node" };
      const expected = { client: identity, process: ofProcess(identity), browser: page };
      const unlisted = upstream.seen.filter((seen) => callers.filter(({ is }) => is(seen)).length !== 1);
      expect(unlisted).toEqual([]);
      expect(
        callers.map(({ what, is }) => [what, distinct(upstream.seen.filter(is).map(identityOf))]),
      ).toEqual(callers.map(({ what, whose }) => [what, [expected[whose]]]));
      expect(
        distinct(execServer.handshakes.map((headers) => identityOf({ headers: headers as never }))),
      ).toEqual(isRemote ? [expected.process] : []);
    },
  );
});

function distinct<T>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

describe("a refresh that two connections wait for", () => {
  it(
    "goes out under the process's identity, and what waited for it under its own",
    proves("app-server/identities-never-mix"),
    async () => {
      await using upstream = await startLocalUpstream();
      await using server = await startAppServer({ upstream });
      const [a, b] = await Promise.all([join(server, "client_a", "1"), join(server, "client_b", "2")]);
      await logInWithBrowser(a.client, upstream);
      await logInToServer(a.client, upstream);
      const both = [a, b];
      const threads = await Promise.all(both.map(({ client }) => startThread(client)));
      const refused = (server: string, { identity }: typeof a) =>
        upstream.waitFor(
          (seen) =>
            seen.server === server &&
            seen.status === 401 &&
            seen.headers["originator"] === identity.originator,
          { from },
        );
      const sent = (is: (seen: SeenRequest) => boolean) =>
        upstream.seen.slice(from).filter(is).map(identityOf);

      let from = upstream.seen.length;
      upstream.account.expireAccessTokens();
      const account = upstream.account.holdRefreshes(1);
      const turns = both.map(({ client }, n) => takeTurn(client, threads[n] as string));
      await Promise.all([account.held, ...both.map((one) => refused("model", one))]);
      account.release();
      expect((await Promise.all(turns)).map(({ status }) => status)).toEqual(["completed", "completed"]);
      expect(sent(grant("account", "refresh_token"))).toEqual([ofProcess(a.identity)]);
      const asked = sent(at("model", "POST", "/v1/responses"));
      expect(asked.filter(({ originator }) => originator === "client_a")).toEqual([a.identity, a.identity]);
      expect(asked.filter(({ originator }) => originator === "client_b")).toEqual([b.identity, b.identity]);

      from = upstream.seen.length;
      await upstream.mcp.destroyAccessTokens();
      const mcp = upstream.mcp.holdRefreshes(1);
      const calls = both.map(({ client }, n) => echo(client, threads[n] as string, "hi"));
      await Promise.all([mcp.held, ...both.map((one) => refused("mcp", one))]);
      mcp.release();
      await Promise.all(calls);
      expect(sent(grant("oauth", "refresh_token"))).toEqual([ofProcess(a.identity)]);
    },
  );
});

describe("many connections", () => {
  const storms: [connections: number, requests: number][] = isLong
    ? [
        [2, 2_000],
        [10, 4_000],
        [50, 10_000],
      ]
    : [
        [2, 60],
        [50, 200],
      ];
  it.each(storms)(
    "%i of them never lend each other an identity, in %i requests and more",
    { ...proves("app-server/identities-never-mix"), timeout: isLong ? 600_000 : 60_000 },
    async (connections, requests) => {
      await using upstream = await startLocalUpstream();
      await using server = await startAppServer({ upstream, requestMaxRetries: 4 });
      const people = await Promise.all(
        Array.from({ length: connections }, (_, n) => join(server, `client-${n}`, `${n}.0`)),
      );
      await logInWithBrowser(people[0]?.client as AppClient, upstream);
      await logInToServer(people[0]?.client as AppClient, upstream);
      const from = upstream.seen.length;
      const isOwned = ({ server: where, rpcMethod }: SeenRequest) =>
        where === "model" || rpcMethod === "tools/call";
      const owned = () => upstream.seen.slice(from).filter(isOwned);
      const toolTurns = new Map<string, number>();
      let done = 0;

      /** What makes work late: retries wait on timers, and calls for a token or a session that all share. */
      const disturb = async (step: number): Promise<void> => {
        if (step % 20 === 3) upstream.model.script({ status: 503 });
        if (step === Math.floor(requests / 3)) upstream.account.expireAccessTokens();
        if (step === Math.floor(requests / 2)) await upstream.mcp.destroyAccessTokens();
        // Far apart: a call is taken into one new session, not into two.
        if (step % 400 === 50) upstream.mcp.dropSessions();
      };
      await Promise.all(
        people.map(async ({ client, identity: { originator: name } }, n) => {
          let threadId = await startThread(client);
          for (let step = n; done < requests; step += 1) {
            done += 1;
            await disturb(done);
            if (step % 20 === 0) threadId = await startThread(client);
            if (step % 3 === 0) await echo(client, threadId, `by ${name}`);
            else if (step % 3 === 1) await takeTurn(client, threadId, `by ${name}`);
            else {
              toolTurns.set(name, (toolTurns.get(name) ?? 0) + 1);
              await takeTurn(client, threadId, `use the tool, by ${name}`);
            }
          }
          // The last turn runs on its own: whoever asked for it has gone.
          const input = [{ type: "text", text: `last, by ${name}` }];
          await client.request("turn/start", { threadId, input });
          await client.close();
        }),
      );
      await Promise.all(
        people.map(({ identity: { originator: name } }) =>
          upstream.waitFor((seen) => seen.status === 200 && wordsOf(seen) === `last, by ${name}`, { from }),
        ),
      );

      const known = new Map(people.map(({ identity }) => [identity.originator, identity]));
      const wrong = owned().filter((seen) => {
        const { originator, userAgent } = identityOf(seen);
        const owner = /\bby (\S+)$/.exec(wordsOf(seen) ?? "")?.[1] ?? originator;
        return originator !== owner || userAgent !== known.get(owner ?? "")?.userAgent;
      });
      expect(wrong).toEqual([]);
      expect(owned().length).toBeGreaterThanOrEqual(requests);
      // A tool that the model called has no words of its owner: it is counted.
      const calls = owned().filter(
        (seen) => seen.rpcMethod === "tools/call" && seen.status === 200 && !wordsOf(seen)?.includes("by "),
      );
      const counted = new Map<string, number>();
      for (const { headers } of calls) {
        const name = headers["originator"] ?? "";
        counted.set(name, (counted.get(name) ?? 0) + 1);
      }
      expect(counted).toEqual(toolTurns);
      const shared = upstream.seen
        .slice(from)
        .filter((seen) => !isOwned(seen) && seen.headers["originator"] !== "hawser");
      expect(shared).toEqual([]);
    },
  );
});

/** What a person said last, or what a tool was called with. */
function wordsOf({ bodyJson }: SeenRequest): string | undefined {
  const { input, params } = (bodyJson ?? {}) as {
    input?: { role?: string; content?: { text: string }[] }[];
    params?: { arguments?: { text?: string } };
  };
  return input?.findLast(({ role }) => role === "user")?.content?.[0]?.text ?? params?.arguments?.text;
}

describe("a client's own identity", () => {
  it(
    "stands when a backend initialised first, whatever the variable says that names the process",
    proves("app-server/identities-never-mix", "app-server/override-names-the-process"),
    async () => {
      await using upstream = await startLocalUpstream();
      const env = { CODEX_INTERNAL_ORIGINATOR_OVERRIDE: "env_orig" };
      await using server = await startAppServer({ upstream, env });
      const backend = await join(server, "codex-backend", "7");
      const daemon = await join(server, "codex_app_server_daemon", "8");
      const ios = await join(server, "codex_ios", "2.0");
      const third = await join(server, "third_party", "3.0");
      for (const { identity } of [backend, daemon, ios, third]) {
        const { originator, userAgent = "" } = identity;
        expect(userAgent.startsWith(`${originator}/`)).toBe(true);
        expect(userAgent).toMatch(new RegExp(` \\(${originator}; [\\d.]+\\)$`));
      }
      await logInWithBrowser(backend.client, upstream);

      const order = [ios, backend, daemon, third, ios];
      for (const { client } of order) await takeTurn(client, await startThread(client));
      await ios.client.request("getAuthStatus", { refreshToken: true });

      const asked = upstream.seen.filter(at("model", "POST", "/v1/responses")).map(identityOf);
      expect(asked).toEqual(order.map(({ identity }) => identity));
      const [refresh] = upstream.seen.filter(grant("account", "refresh_token")).map(identityOf);
      expect(refresh?.originator).toBe("env_orig");
      expect(refresh?.userAgent).toMatch(/^env_orig\/[^()]+ \([^()]+\) \S+$/);
    },
  );

  it(
    "is not made up by a variable that holds no name",
    proves("app-server/override-names-the-process"),
    async () => {
      await using upstream = await startLocalUpstream();
      const env = { CODEX_INTERNAL_ORIGINATOR_OVERRIDE: "bad\nname" };
      await using server = await startAppServer({ upstream, env });
      const { client, identity } = await join(server, "client_a", "1");
      await logInWithBrowser(client, upstream);
      await client.request("getAuthStatus", { refreshToken: true });
      const refreshes = upstream.seen.filter(grant("account", "refresh_token"));
      expect(refreshes.map(identityOf)).toEqual([ofProcess(identity)]);
      expect(server.stderr()).toContain("CODEX_INTERNAL_ORIGINATOR_OVERRIDE");
      expect(server.stderr()).not.toContain("bad");
    },
  );

  it("needs a name that a header can carry", proves("app-server/handshake"), async () => {
    await using server = await startAppServer();
    const client = await server.connect();
    for (const name of ["", " ", "a ", "a\r\nx: y", "a\0b", "a\u007f", "naïve", "客户", "x".repeat(129)]) {
      const shown = name.length > 128 ? `${"x".repeat(128)}…` : name;
      await expect(client.initialize(name)).rejects.toMatchObject({
        code: -32600,
        message: `Invalid clientInfo.name: '${shown}'. Must be a valid HTTP header value.`,
      });
    }
    const { userAgent } = await client.initialize("x".repeat(128), "1.0-β\n(beta)");
    expect(userAgent).toMatch(/ \(x{128}; 1\.0-__\\\(beta\\\)\)$/);
  });
});
