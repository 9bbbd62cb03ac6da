import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TransparentProxy extends AsyncDisposable {
  readonly url: URL;
  /** Connections that came. */
  readonly connections: number;
}

/**
 * A proxy that changes nothing but the request line: each of its connections is one to the server, with the same
 * bytes, pauses and resets. What is forwarded without a tunnel begins with the head of a request in one piece, as one
 * client with one request at a time writes it.
 */
export async function startTransparentProxy(): Promise<TransparentProxy> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const kept = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    return socket;
  };

  const carry = async (client: Socket) => {
    const [first] = (await once(client, "data")) as [Buffer];
    client.pause();
    const line = /^(\S+) (?:http:\/\/)?([^/\s]+)/.exec(first.toString("latin1"));
    const { hostname, port } = new URL(`http://${line?.[2]}`);
    const server = kept(
      connect({ host: hostname === "localhost" ? "127.0.0.1" : hostname, port: Number(port) }),
    );
    server.on("close", () => client.destroy());
    client.on("close", () => server.destroy());
    await once(server, "connect");
    if (line?.[1] === "CONNECT") client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    else server.write(originForm(first));
    server.on("data", (piece) => held(server, client, piece));
    client.on("data", (piece) => held(client, server, line?.[1] === "CONNECT" ? piece : originForm(piece)));
    server.on("end", () => client.end());
    client.on("end", () => server.end());
    client.resume();
  };

  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    carry(kept(socket)).catch(() => socket.destroy());
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
    },
  };
}

function originForm(piece: Buffer): Buffer {
  const text = piece.toString("latin1");
  const changed = text.replace(/^([A-Z]+) http:\/\/[^/\s]+(\S*) HTTP\/1\.1\r\n/, "$1 $2 HTTP/1.1\r\n");
  return changed === text ? piece : Buffer.from(changed, "latin1");
}

/** Whoever cannot follow holds back whoever sends. */
function held(from: Socket, to: Socket, piece: Buffer): void {
  if (to.write(piece)) return;
  from.pause();
  to.once("drain", () => from.resume());
}
