import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { temporaryHome } from "@hawser/test-kit";
import { WebSocket, WebSocketServer } from "ws";
import { compileCache } from "./start-app-server.ts";

/** A request as the app-server handed it over. */
interface HandedOver {
  readonly url: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

export interface StartedExecServer extends AsyncDisposable {
  /** Of a relay in front of it, which notes what passes. */
  readonly url: string;
  readonly bearer: string;
  /** The head of every connection. */
  readonly handshakes: readonly IncomingHttpHeaders[];
  /** Every `http/request`, in order. */
  readonly handedOver: readonly HandedOver[];
}

export interface StartExecServerOptions {
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** @defaultValue the loopback's name gets affinity cookies */
  readonly config?: string | undefined;
}

/** The real exec-server, from its sources, behind a relay. */
export async function startExecServer(options: StartExecServerOptions = {}): Promise<StartedExecServer> {
  const { env = {}, config = '[affinity]\nhosts = ["localhost"]\n' } = options;
  const home = await temporaryHome();
  const bearer = randomBytes(24).toString("base64url");
  const bearerFile = await home.write("bearer", bearer);
  const configFile = await home.write("exec.toml", config);
  const main = fileURLToPath(new URL("../../exec-server/src/main.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    [
      ...["--conditions=hawser-source", "--disable-warning=ExperimentalWarning", main],
      ...["--listen", "ws://127.0.0.1:0", "--config", configFile],
      ...["--ws-auth", "capability-token", "--ws-token-file", bearerFile],
    ],
    {
      env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: compileCache, ...env },
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  const relay = await startRelay(String(line).trim());
  return {
    bearer,
    url: relay.url,
    handshakes: relay.handshakes,
    handedOver: relay.handedOver,
    async [Symbol.asyncDispose]() {
      relay.close();
      child.kill("SIGKILL");
      await once(child, "close");
      await home.remove();
    },
  };
}

async function startRelay(target: string) {
  const handshakes: IncomingHttpHeaders[] = [];
  const handedOver: HandedOver[] = [];
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await once(server, "listening");
  const sockets = new Set<WebSocket>();
  server.on("connection", (client, { headers }) => {
    handshakes.push(headers);
    const { authorization = "" } = headers;
    const behind = new WebSocket(target, { headers: { authorization }, perMessageDeflate: false });
    const opened = once(behind, "open");
    client.on("message", async (data) => {
      const text = String(data);
      const { method, params } = JSON.parse(text) as { method?: string; params: HandedOver };
      if (method === "http/request") handedOver.push(params);
      await opened;
      behind.send(text);
    });
    behind.on("message", (data) => client.send(String(data)));
    for (const [one, other] of [
      [client, behind],
      [behind, client],
    ] as const) {
      sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => other.terminate());
    }
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    handshakes,
    handedOver,
    close() {
      for (const socket of sockets) socket.terminate();
      server.close();
    },
  };
}
