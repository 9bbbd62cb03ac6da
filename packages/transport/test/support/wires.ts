import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:tls";
import {
  type CertificateAuthority,
  type ScriptedServer,
  type ScriptedServerOptions,
  selfSignedCa,
  startScriptedServer,
} from "@hawser/test-kit";
import type { Dispatcher } from "undici";
import {
  createDispatcher,
  createUndiciTransport,
  type DispatcherOptions,
  type HttpTransport,
  type UndiciTransportOptions,
} from "../../src/index.ts";
import { type RawServer, startRawServer } from "./raw-server.ts";
import { startTransparentProxy } from "./transparent-proxy.ts";

/**
 * What can lie between a transport and its server; the same tests hold over each. Elsewhere, because they are about
 * the connection itself: names that do not resolve, refused connections and certificates (faults.test.ts), egress
 * (egress.test.ts), and a refused connection under fetch, which a proxy reports as its own fault.
 */
export const WIRES = ["a direct connection", "a forwarding proxy", "TLS", "TLS in a tunnel"] as const;
export type WireName = (typeof WIRES)[number];
/** For tests of what stands above the wire: the plainest and the longest, and all of them when there is time. */
export const SAMPLED_WIRES: readonly WireName[] =
  process.env["HAWSER_TEST_LONG"] === "1" ? WIRES : ["a direct connection", "TLS in a tunnel"];

export const isProxied = (wire: WireName): boolean =>
  wire === "a forwarding proxy" || wire === "TLS in a tunnel";
const isTls = (wire: WireName): boolean => wire === "TLS" || wire === "TLS in a tunnel";

export interface Wire extends AsyncDisposable {
  /** Reaches its servers; the caller closes it. */
  dispatcher(options?: DispatcherOptions): Dispatcher;
  transport(options?: UndiciTransportOptions): HttpTransport & AsyncDisposable;
  server(options?: ScriptedServerOptions): Promise<ScriptedServer>;
  raw(onSocket: (socket: Socket) => void): Promise<RawServer>;
}

export async function startWire(name: WireName): Promise<Wire> {
  const ca = isTls(name) ? await selfSignedCa() : undefined;
  const proxy = isProxied(name) ? await startTransparentProxy() : undefined;
  const dispatcher = (options: DispatcherOptions = {}) =>
    createDispatcher({
      ca: ca?.pem ?? [],
      env: { ALL_PROXY: proxy?.url.href },
      proxyLoopback: true,
      ...options,
    });
  const isPlain = ca === undefined && proxy === undefined;
  return {
    dispatcher,
    transport: (options = {}) => (isPlain ? createUndiciTransport(options) : owning(dispatcher, options)),
    server: async (options = {}) =>
      startScriptedServer({ ...options, tls: await ca?.issue(["localhost", "127.0.0.1"]) }),
    raw: (onSocket) => (ca === undefined ? startRawServer(onSocket) : startRawTlsServer(ca, onSocket)),
    [Symbol.asyncDispose]: async () => {
      await proxy?.[Symbol.asyncDispose]();
    },
  };
}

/** As a transport without a dispatcher of its caller's has its own. */
function owning(make: Wire["dispatcher"], options: UndiciTransportOptions): HttpTransport & AsyncDisposable {
  const { connectTimeoutMs } = options.limits ?? {};
  const dispatcher = make({ connectTimeoutMs });
  const transport = createUndiciTransport({ ...options, dispatcher });
  return { send: transport.send, [Symbol.asyncDispose]: () => dispatcher.destroy() };
}

async function startRawTlsServer(
  ca: CertificateAuthority,
  onSocket: (socket: Socket) => void,
): Promise<RawServer> {
  const sockets: Socket[] = [];
  const server = createServer(await ca.issue(["localhost", "127.0.0.1"]), (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: new URL(`https://localhost:${port}/`),
    sockets,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
