import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startLocalUpstream } from "@hawser/local-upstream";
import { proves, temporaryHome } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { compileCache, startAppServer } from "./start-app-server.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

const base = { PATH: process.env["PATH"], NODE_COMPILE_CACHE: compileCache };

/** Runs the program with these arguments and this stdin, to its end. */
async function run(args: readonly string[], input = "", env: Record<string, string> = {}) {
  await using home = await temporaryHome();
  const child = spawn(
    process.execPath,
    ["--conditions=hawser-source", "--disable-warning=ExperimentalWarning", main, ...args],
    { env: { ...base, HAWSER_HOME: home.path, ...env } },
  );
  const [out, err] = [child.stdout, child.stderr].map((stream) => stream.setEncoding("utf8").toArray());
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, out: (await out)?.join("") ?? "", err: (await err)?.join("") ?? "" };
}

describe("the command", () => {
  it("helps when nothing is asked of it", async () => {
    const { code, out } = await run([]);
    expect(code).toBe(0);
    expect(out).toContain("--listen");
  });

  const refusals: [args: string[], line: RegExp][] = [
    [["app-server", "--nope"], /Unknown option '--nope'/],
    [["app-server", "--codex-home", "/x"], /--codex-home is not supported yet/],
    [["--listen", "ws://127.0.0.1:0"], /needs --ws-auth .* or --insecure-no-auth/],
    [["--listen", "ws://0.0.0.0:0", "--insecure-no-auth"], /refusing to start non-loopback/],
    [["--listen", "ws://localhost:0"], /not an address/],
    [["app-server", "--config", "/does/not/exist"], /cannot read \/does\/not\/exist \(ENOENT\)/],
  ];
  it.each(refusals)(
    "refuses in one line what it cannot do, and a listener that is open to everybody: %j",
    proves("app-server/no-open-door"),
    async (args, line) => {
      const { code, err } = await run(args);
      expect(code).not.toBe(0);
      expect(err).toMatch(line);
      expect(err.trim().split("\n")).toHaveLength(1);
    },
  );
});

describe("stdio", () => {
  const line = (message: object): string => `${JSON.stringify(message)}\n`;

  it(
    "answers everything that was asked before stdin ended, then exits 0",
    proves("app-server/clean-end"),
    async () => {
      const clientInfo = { name: "pipe", version: "1" };
      const questions = Array.from({ length: 50 }, (_, id) =>
        line({ id: id + 1, method: "model/list", params: {} }),
      );
      const input = line({ id: 0, method: "initialize", params: { clientInfo } }) + questions.join("");

      const { code, out } = await run(["app-server"], input);

      const answers = out
        .trim()
        .split("\n")
        .map((text) => JSON.parse(text));
      expect(answers.map(({ id }) => id).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 51 }, (_, id) => id),
      );
      expect(answers.every((answer) => answer.jsonrpc === undefined && answer.result !== undefined)).toBe(
        true,
      );
      expect(code).toBe(0);
    },
  );
});

describe("a client on stdio that does not read", () => {
  it(
    "is disconnected with a line on stderr, and the program ends with 1",
    proves("app-server/no-silent-end"),
    async () => {
      await using upstream = await startLocalUpstream();
      await using home = await temporaryHome();
      const config = await home.write(
        "config.toml",
        `model_provider = "local"
[model_providers.local]
base_url = ${JSON.stringify(upstream.model.baseUrl.href)}
env_key = "MODEL_KEY"
`,
      );
      upstream.model.apiKeys.add("sk-local");
      const piece = "x".repeat(1024 * 1024);
      const delta = { type: "response.output_text.delta", item_id: "m", delta: piece };
      const completed = { type: "response.completed", response: { id: "r" } };
      upstream.model.script({ events: [...Array.from({ length: 40 }, () => delta), completed] });
      const child = spawn(
        process.execPath,
        [
          ...["--conditions=hawser-source", "--disable-warning=ExperimentalWarning", main],
          ...["app-server", "--config", config],
        ],
        { env: { ...base, HAWSER_HOME: home.file("home"), MODEL_KEY: "sk-local" } },
      );
      const exited = once(child, "exit");
      const stderr = child.stderr.setEncoding("utf8").toArray();
      const lines = createInterface({ input: child.stdout });
      const answered = (id: number): Promise<{ thread: { id: string } }> =>
        new Promise((resolve) => {
          lines.on("line", (text) => {
            const message = JSON.parse(text);
            if (message.id === id) resolve(message.result);
          });
        });
      const ask = (id: number, method: string, params: object): void =>
        void child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);

      ask(1, "initialize", { clientInfo: { name: "pipe", version: "1" } });
      ask(2, "thread/start", {});
      const { thread } = await answered(2);
      child.stdout.pause();
      ask(3, "turn/start", { threadId: thread.id, input: [{ type: "text", text: "hi" }] });

      expect(await exited).toEqual([1, null]);
      expect((await stderr).join("")).toContain("hawser: client reads too slowly\n");
      lines.close();
    },
  );
});

describe("SIGTERM", () => {
  it("stops turns, says goodbye with 1001 and exits 0", proves("app-server/clean-end"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("a");
    await client.request("account/login/start", { type: "apiKey", apiKey: "sk-local" });
    const { thread } = await client.request<{ thread: { id: string } }>("thread/start", {});
    const held = upstream.model.holdDeltas();
    await client.request("turn/start", { threadId: thread.id, input: [{ type: "text", text: "hi" }] });
    await held.waiting();

    server.child.kill("SIGTERM");

    expect(await client.closed).toEqual({ code: 1001, reason: "server is shutting down" });
    expect(await server.exited).toEqual({ code: 0, signal: null });
    const ended = client.notifications.find(({ method }) => method === "turn/completed");
    expect(ended?.params["turn"]).toMatchObject({ status: "interrupted" });
  });

  it("lets a refresh that has begun be finished and kept", proves("app-server/clean-end"), async () => {
    await using upstream = await startLocalUpstream();
    await using server = await startAppServer({ upstream });
    const client = await server.connect("a");
    const login = await client.request<{ authUrl: string }>("account/login/start", { type: "chatgpt" });
    await upstream.account.approve(login.authUrl);
    await client.notified("account/updated", ({ authMode }) => authMode === "chatgpt");
    const before = JSON.parse((await server.files()).get(`${server.home}/auth.json`) ?? "");
    const held = upstream.account.holdRefreshes(1);
    client.request("getAuthStatus", { refreshToken: true }).catch(() => {});
    await held.held;

    server.child.kill("SIGTERM");
    held.release();

    expect(await server.exited).toEqual({ code: 0, signal: null });
    const after = JSON.parse((await server.files()).get(`${server.home}/auth.json`) ?? "");
    expect(after.tokens.refresh_token).not.toBe(before.tokens.refresh_token);
  });
});
