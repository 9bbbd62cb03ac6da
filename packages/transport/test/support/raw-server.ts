import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** A TCP server on loopback for peers that do not speak HTTP as they should. */
export interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly url: URL;
  readonly sockets: readonly Socket[];
}

export async function startRawServer(
  onSocket: (socket: Socket) => void,
  host = "127.0.0.1",
): Promise<RawServer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: new URL(`http://${host.includes(":") ? `[${host}]` : host}:${port}/`),
    sockets,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
