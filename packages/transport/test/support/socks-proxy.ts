import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface SocksProxy extends AsyncDisposable {
  readonly port: number;
  /** `name:port` and `address:port` of each CONNECT. */
  readonly seen: readonly string[];
  /** `user:password` of each login. */
  readonly logins: readonly string[];
}

export interface SocksProxyOptions {
  /** What it wants; any other is refused. */
  readonly login?: string | undefined;
  /** Answers CONNECT with this code. */
  readonly refuseWith?: number | undefined;
  /** Says nothing from this step on. */
  readonly silentFrom?: "greeting" | "connect" | undefined;
  /** Sends its answers byte by byte. */
  readonly trickle?: boolean | undefined;
}

/** A SOCKS5 proxy on loopback that connects every name to 127.0.0.1. */
export async function startSocksProxy(options: SocksProxyOptions = {}): Promise<SocksProxy> {
  const { login, refuseWith = 0, silentFrom, trickle = false } = options;
  const seen: string[] = [];
  const logins: string[] = [];
  const sockets: Socket[] = [];

  const serve = async (socket: Socket) => {
    const read = async (length: number): Promise<Buffer> => {
      for (;;) {
        const bytes: Buffer | null = length === 0 ? Buffer.alloc(0) : socket.read(length);
        if (bytes !== null) return bytes;
        await once(socket, "readable");
      }
    };
    const answer = async (...bytes: number[]) => {
      for (const part of trickle ? bytes.map((byte) => [byte]) : [bytes]) {
        socket.write(Buffer.from(part));
        if (trickle) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    const [, methods = 0] = await read(2);
    const offered = [...(await read(methods))];
    if (silentFrom === "greeting") return;
    const method = login === undefined ? 0 : 2;
    if (!offered.includes(method)) {
      await answer(5, 0xff);
      return;
    }
    await answer(5, method);
    if (login !== undefined) {
      const [, userLength = 0] = await read(2);
      const user = (await read(userLength)).toString();
      const password = (await read((await read(1))[0] ?? 0)).toString();
      logins.push(`${user}:${password}`);
      const isRight = `${user}:${password}` === login;
      await answer(1, isRight ? 0 : 1);
      if (!isRight) return;
    }
    const [, , , kind] = await read(4);
    const host =
      kind === 3
        ? (await read((await read(1))[0] ?? 0)).toString()
        : [...(await read(kind === 1 ? 4 : 16))].join(".");
    const port = (await read(2)).readUInt16BE();
    seen.push(`${host}:${port}`);
    if (silentFrom === "connect") return;
    if (refuseWith !== 0) {
      await answer(5, refuseWith, 0, 1, 0, 0, 0, 0, 0, 0);
      return;
    }
    const onward = connect(port, "127.0.0.1");
    onward.on("error", () => socket.destroy());
    await once(onward, "connect");
    await answer(5, 0, 0, 3, 4, 0x68, 0x65, 0x72, 0x65, 0, 80);
    socket.pipe(onward).pipe(socket);
  };

  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    serve(socket).catch(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    logins,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
