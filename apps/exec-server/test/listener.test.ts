import { createHmac } from "node:crypto";
import { request } from "node:http";
import { expectNoSecret, proves, temporaryHome } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { RawClient } from "./support/raw-client.ts";
import { spawnServer, startServer, type TestServer } from "./support/start-server.ts";

const SECRET = "capability-0123456789abcdef";

function get(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, path, headers, method, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    outgoing.on("error", reject).end();
  });
}

/** The status and body of an upgrade that is refused; 101 for one that is not. */
function upgrade(url: string, headers: Record<string, string>): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { headers });
    socket.on("error", () => {});
    socket.on("open", () => {
      socket.terminate();
      resolve({ status: 101, body: "" });
    });
    socket.on("unexpected-response", (_request, response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
  });
}

describe("a listener with a capability", () => {
  let server: TestServer;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const home = await temporaryHome();
    server = await startServer([
      "--ws-auth",
      "capability-token",
      "--ws-token-file",
      await home.write("t", `${SECRET}\n`),
    ]);
    close = async () => {
      await server[Symbol.asyncDispose]();
      await home.remove();
    };
  });
  afterAll(() => close());

  it.each([
    ["no bearer", {}, 401, "missing websocket bearer token"],
    ["another scheme", { authorization: "Basic abc" }, 401, "invalid authorization header"],
    ["another bearer", { authorization: "Bearer nope" }, 401, "invalid websocket bearer token"],
    ["an origin, bearer or not", { authorization: `Bearer ${SECRET}`, origin: "null" }, 403, ""],
    [
      "a rebound host",
      { authorization: `Bearer ${SECRET}`, host: "evil.example" },
      403,
      "this Host is not served here; see --allow-host",
    ],
  ])("turns away %s", proves("exec-server/who-comes-in"), async (_name, headers, status, body) => {
    expect(await upgrade(server.url, headers as Record<string, string>)).toEqual({ status, body });
  });

  it(
    "lets the bearer in, whatever the case of its scheme, on / only",
    proves("exec-server/who-comes-in"),
    async () => {
      const headers = { authorization: `bEARER ${SECRET}` };
      expect(await upgrade(`${server.url}/?x=1`, headers)).toMatchObject({ status: 101 });
      expect(await upgrade(server.url, { ...headers, host: "localhost:1" })).toMatchObject({ status: 101 });
      expect(await upgrade(`${server.url}/rpc`, headers)).toMatchObject({ status: 404 });
      expect(await upgrade(`${server.url}/?token=${SECRET}`, {})).toMatchObject({ status: 401 });
    },
  );

  it("answers /readyz without a bearer and nothing else", async () => {
    expect(await get(server.port, "/readyz")).toEqual({ status: 200, body: "" });
    expect(await get(server.port, "/readyz", {}, "HEAD")).toMatchObject({ status: 200 });
    expect(await get(server.port, "/readyz", {}, "POST")).toMatchObject({ status: 405 });
    expect(await get(server.port, "/readyz", { origin: "https://a.example" })).toMatchObject({ status: 403 });
    expect(await get(server.port, "/healthz")).toMatchObject({ status: 404 });
    expect(await get(server.port, "/")).toEqual({
      status: 400,
      body: "Connection header did not include 'upgrade'",
    });
  });

  it(
    "writes its url to stdout and no bearer anywhere",
    proves("exec-server/one-line", "exec-server/no-secrets"),
    async () => {
      await using client = await RawClient.ready(server.url, { authorization: `Bearer ${SECRET}` });
      await client.call("environment/status", {});
      await upgrade(server.url, { authorization: `Bearer ${SECRET}x` });
      expect(server.child.stdout).toBe(`${server.url}\n`);
      expect(server.child.stderr).toContain("a client connected");
      expectNoSecret(server.child.stderr + server.child.stdout, [SECRET]);
    },
  );
});

describe("a listener with signed bearers", () => {
  const secret = "a-shared-secret-of-more-than-32-bytes";
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const sign = (claims: object, header: object = { alg: "HS256" }, hash = "sha256"): string => {
    const parts = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return `${parts}.${createHmac(hash, secret).update(parts).digest("base64url")}`;
  };
  const good = { exp: nowSeconds + 60, iss: "me", aud: ["other", "exec"] };
  let server: TestServer;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const home = await temporaryHome();
    const file = await home.write("s", ` ${secret}\n`);
    server = await startServer([
      ...["--ws-auth", "signed-bearer-token", "--ws-shared-secret-file", file],
      ...["--ws-issuer", "me", "--ws-audience", "exec"],
    ]);
    close = async () => {
      await server[Symbol.asyncDispose]();
      await home.remove();
    };
  });
  afterAll(() => close());

  it.each([
    ["a good one", sign(good), 101, ""],
    ["one that expired within the skew", sign({ ...good, exp: nowSeconds - 10 }), 101, ""],
    ["one that begins within the skew", sign({ ...good, nbf: nowSeconds + 10 }), 101, ""],
    ["an expired one", sign({ ...good, exp: nowSeconds - 60 }), 401, "expired websocket jwt"],
    ["one without an end", sign({ ...good, exp: undefined }), 401, "invalid websocket jwt"],
    ["an early one", sign({ ...good, nbf: nowSeconds + 120 }), 401, "websocket jwt is not valid yet"],
    ["another issuer's", sign({ ...good, iss: "you" }), 401, "websocket jwt issuer mismatch"],
    ["one for somebody else", sign({ ...good, aud: "you" }), 401, "websocket jwt audience mismatch"],
    [
      "alg none",
      `${sign(good, { alg: "none" }).split(".").slice(0, 2).join(".")}.`,
      401,
      "invalid websocket jwt",
    ],
    ["HS512", sign(good, { alg: "HS512" }, "sha512"), 401, "invalid websocket jwt"],
    ["a changed one", `${sign(good)}A`, 401, "invalid websocket jwt"],
    ["no JWT", "abc", 401, "invalid websocket jwt"],
  ])("judges %s", proves("exec-server/who-comes-in"), async (_name, bearer, status, body) => {
    expect(await upgrade(server.url, { authorization: `Bearer ${bearer}` })).toEqual({ status, body });
  });
});

describe("a server that cannot start", () => {
  it.each([
    [["--listen", "ws://127.0.0.1:0"], 1, "a listener without auth"],
    [[], 1, "a listener without auth"],
    [["--listen", "ws://localhost:1", "--insecure-no-auth"], 2, "--listen takes"],
    [
      ["--listen", "stdio://", "--ws-auth", "capability-token", "--ws-token-sha256", "0".repeat(64)],
      2,
      "ws:// listener",
    ],
    [["--ws-token-file", "/x"], 2, "auth flags need --ws-auth"],
    [["--ws-auth", "capability-token"], 2, "needs one of"],
    [["--ws-auth", "capability-token", "--ws-token-file", "/nope"], 1, "ENOENT"],
    [["--insecure-no-auth", "--config", "/nope"], 1, "ENOENT"],
    [["--bogus"], 2, "bogus"],
  ])(
    "says why in one line and writes no url: %j",
    proves("exec-server/closed-by-default"),
    async (args, code, text) => {
      await using child = spawnServer(args);
      expect(await child.exited).toEqual({ code, signal: null });
      expect(child.stdout).toBe("");
      const lines = child.stderr.trim().split("\n");
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(text);
    },
  );

  it("says that a port is in use", async () => {
    await using first = await startServer();
    await using second = spawnServer(["--listen", `ws://127.0.0.1:${first.port}`, "--insecure-no-auth"]);
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.stderr).toContain("the port is in use");
  });
});

describe("a shutdown", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "on %s closes with 1001, kills every group and exits 0",
    proves("exec-server/whole-group"),
    async (signal) => {
      const server = await startServer();
      await using client = await RawClient.ready(server.url);
      await client.call("process/start", {
        processId: "p",
        argv: ["/bin/sh", "-c", "trap '' TERM INT; sleep 1000 & echo $$ $!; wait"],
        cwd: "file:///",
        env: { PATH: "/bin:/usr/bin" },
        tty: false,
      });
      const output = await client.waitFor((one) => one.method === "process/output");
      const pids = Buffer.from(output.params.chunk, "base64").toString().trim().split(" ").map(Number);
      expect(await server.child.kill(signal)).toEqual({ code: 0, signal: null });
      expect(await client.closed).toEqual({ code: 1001, reason: "the server is shutting down" });
      for (const pid of pids) await gone(pid);
    },
  );
});

/** A killed process is gone once the system's init has taken note of it. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    if (await isZombie(pid)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function isZombie(pid: number): Promise<boolean> {
  const { readFile } = await import("node:fs/promises");
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat === "" || / Z /.test(stat);
}
