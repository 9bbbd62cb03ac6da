import { once } from "node:events";
import { request } from "node:http";
import { createServer } from "node:net";
import { proves } from "@hawser/test-kit";
import { afterEach, describe, expect, it } from "vitest";
import type { CallbackPage } from "../src/callback-page.ts";
import {
  type CallbackServer,
  type CallbackServerOptions,
  startCallbackServer,
} from "../src/callback-server.ts";

const done: CallbackPage = { status: 200, title: "Logged in", text: "Close me." };
let server: CallbackServer | undefined;
afterEach(() => server?.close());

async function started(
  options: Partial<CallbackServerOptions> = {},
): Promise<{ received: string[]; port: number }> {
  const received: string[] = [];
  server = await startCallbackServer({
    ports: [0],
    state: "right-state",
    onCallback: async (query) => {
      received.push(query.get("code") ?? "");
      return done;
    },
    ...options,
  });
  return { received, port: Number(new URL(server.redirectUri).port) };
}

/** A request with nothing added: fetch would not let the Host be chosen. */
async function ask(
  port: number,
  path: string,
  options: { method?: string; host?: string } = {},
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  const { method = "GET", host = `127.0.0.1:${port}` } = options;
  const sent = request({ host: "127.0.0.1", port, path, method, headers: { host }, agent: false });
  sent.end();
  const [response] = await once(sent, "response");
  response.setEncoding("utf8");
  let body = "";
  for await (const piece of response) body += piece;
  return { status: response.statusCode, headers: response.headers, body };
}

describe(startCallbackServer, () => {
  it("takes the right state once and shows the end of the login", async () => {
    const { received, port } = await started();
    const right = "/auth/callback?code=c1&state=right-state";
    expect(await ask(port, right)).toMatchObject({ status: 200, body: expect.stringContaining("Logged in") });
    expect(await ask(port, right)).toMatchObject({ status: 409 });
    expect(received).toEqual(["c1"]);
  });

  it.each([
    "",
    "&state=",
    "&state=wrong-state",
    "&state=right-state-and-more",
    "&state=right-state&state=right-state",
  ])("goes on waiting after a callback with the state %j", proves("auth-manager/state"), async (state) => {
    const { received, port } = await started();
    expect(await ask(port, `/auth/callback?code=stolen${state}`)).toMatchObject({
      status: 400,
      body: expect.stringContaining("State mismatch"),
    });
    expect(received).toEqual([]);
    await ask(port, "/auth/callback?code=c1&state=right-state");
    expect(received).toEqual(["c1"]);
  });

  it.each(["localhost", "evil.example.com", "127.0.0.1", "127.0.0.1:1", "[::1]"])(
    "answers nothing for the host %s",
    proves("auth-manager/callback-host"),
    async (name) => {
      const { received, port } = await started();
      const host = name === "localhost" || name === "[::1]" ? `${name}:${port}` : name;
      expect(await ask(port, "/auth/callback?code=c&state=right-state", { host })).toMatchObject({
        status: 403,
      });
      expect(received).toEqual([]);
    },
  );

  it.each(["POST", "HEAD", "OPTIONS", "PUT"])(
    "answers %s with nothing but what is allowed",
    async (method) => {
      const { received, port } = await started();
      const answer = await ask(port, "/auth/callback?code=c&state=right-state", { method });
      expect(answer).toMatchObject({ status: 405, headers: { allow: "GET" } });
      expect(received).toEqual([]);
    },
  );

  it.each(["/", "/cancel", "/auth/callback/", "/auth/callbackx", "//auth/callback"])(
    "has nothing at %s",
    async (path) => {
      const { port } = await started();
      expect(await ask(port, `${path}?code=c&state=right-state`)).toMatchObject({ status: 404 });
    },
  );

  it("shows a stranger's text as text, and lets nothing of the page be kept or run", async () => {
    const text = `<script>alert("x")</script> & 'more'`;
    const { port } = await started({ onCallback: async () => ({ status: 400, title: "No", text }) });
    const { body, headers } = await ask(port, "/auth/callback?state=right-state");
    expect(body).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;more&#39;");
    expect(body).not.toContain("<script");
    expect(headers).toMatchObject({
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "content-security-policy": expect.stringContaining("default-src 'none'"),
    });
  });

  it("listens on 127.0.0.1 only, on the first free port of the list", async () => {
    const occupant = createServer().listen(0, "127.0.0.1");
    await once(occupant, "listening");
    const { port: taken } = occupant.address() as { port: number };
    const { port } = await started({ ports: [taken, 0] });
    expect(port).not.toBe(taken);
    await expect(
      startCallbackServer({ ports: [taken], state: "s", onCallback: async () => done }),
    ).rejects.toMatchObject({
      code: "ERR_AUTH_MANAGER_CALLBACK_PORT_BUSY",
    });
    occupant.close();
  });

  it("frees its port although a client holds a connection open", async () => {
    const { port } = await started();
    const { connect } = await import("node:net");
    const idle = connect(port, "127.0.0.1");
    await once(idle, "connect");
    idle.write("GET /auth/callback HTTP/1.1\r\n");
    idle.on("error", () => undefined);
    const gone = once(idle, "close");
    await server?.close();
    await gone;
    const again = createServer().listen(port, "127.0.0.1");
    await once(again, "listening");
    again.close();
  });
});
