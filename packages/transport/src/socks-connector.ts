import { isIP, type Socket } from "node:net";
import type { buildConnector } from "undici";
import { addressBytes } from "./address-reach.ts";
import { bareHost } from "./egress-policy.ts";
import { ProxyFault } from "./proxy-fault.ts";

export interface SocksOptions {
  /** `socks5://[user:password@]host[:port]` */
  readonly proxy: URL;
  /** Opens the connection to the proxy. */
  readonly toProxy: buildConnector.connector;
  /** Speaks TLS over the tunnel. */
  readonly overTunnel: buildConnector.connector;
  /** For the proxy's answers; 0 means no bound. */
  readonly timeoutMs: number;
}

/**
 * Opens connections through a SOCKS5 proxy (RFC 1928), which resolves the names, with user and password (RFC 1929)
 * where its URL has them. What goes wrong up to the open tunnel is the proxy's fault.
 */
export function socksConnector(options: SocksOptions): buildConnector.connector {
  const { proxy, toProxy, overTunnel, timeoutMs } = options;
  const { hostname, port } = proxy;
  const proxyTarget = {
    protocol: "http:",
    hostname: bareHost(hostname),
    host: hostname,
    port: port || "1080",
  };
  return (target, callback) => {
    toProxy(proxyTarget, (fault, socket) => {
      if (fault !== null) {
        callback(new ProxyFault(fault), null);
        return;
      }
      tunnel(socket, proxy, target, timeoutMs).then(
        () => {
          if (target.protocol === "https:") overTunnel({ ...target, httpSocket: socket }, callback);
          else callback(null, socket);
        },
        (error: unknown) => {
          socket.destroy();
          callback(error instanceof ProxyFault ? error : new ProxyFault(new Error("no answer")), null);
        },
      );
    });
  };
}

async function tunnel(
  socket: Socket,
  { username, password }: URL,
  target: buildConnector.Options,
  timeoutMs: number,
): Promise<void> {
  const answers = new Answers(socket, timeoutMs);
  try {
    const user = Buffer.from(decodeURIComponent(username));
    const secret = Buffer.from(decodeURIComponent(password));
    const hasLogin = user.length > 0;
    socket.write(Buffer.from(hasLogin ? [VERSION, 2, NO_LOGIN, LOGIN] : [VERSION, 1, NO_LOGIN]));
    const [version, method] = await answers.read(2);
    if (version !== VERSION) throw fault("it does not speak SOCKS5");
    if (method === LOGIN && hasLogin) {
      socket.write(
        Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([secret.length]), secret]),
      );
      const [, status] = await answers.read(2);
      if (status !== 0) throw fault("wrong credentials", "ERR_PROXY_CREDENTIALS");
    } else if (method !== NO_LOGIN) {
      throw fault("it wants other credentials", "ERR_PROXY_CREDENTIALS");
    }
    socket.write(connectCommand(target));
    const [, reply = 1, , kind = 0] = await answers.read(4);
    if (reply !== 0) throw fault(REPLIES[reply] ?? `reply ${reply}`);
    // The address the proxy connects from, which nobody needs.
    const addressBytes = kind === IPV4 ? 4 : kind === IPV6 ? 16 : ((await answers.read(1))[0] ?? 0);
    await answers.read(addressBytes + 2);
  } finally {
    answers.stop();
  }
}

const VERSION = 5;
const NO_LOGIN = 0;
const LOGIN = 2;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

const REPLIES: readonly (string | undefined)[] = [
  undefined,
  "general failure",
  "not allowed by its rules",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "time to live expired",
  "command not supported",
  "kind of address not supported",
];

function connectCommand({ hostname, protocol, port }: buildConnector.Options): Buffer {
  const host = bareHost(hostname);
  const family = isIP(host);
  const name = Buffer.from(host, "latin1");
  if (name.length > 255) throw fault("the name is too long for it");
  const address =
    family === 0
      ? Buffer.concat([Buffer.from([NAME, name.length]), name])
      : Buffer.concat([Buffer.from([family === 4 ? IPV4 : IPV6]), addressBytes(host)]);
  const number = port === "" || port === undefined ? (protocol === "https:" ? 443 : 80) : Number(port);
  return Buffer.concat([Buffer.from([VERSION, 1, 0]), address, Buffer.from([number >> 8, number & 0xff])]);
}

function fault(message: string, code?: ProxyFault["code"]): ProxyFault {
  return new ProxyFault(new Error(`SOCKS5: ${message}`), code);
}

/** Reads a socket by counts, and leaves it paused with whatever came after. */
class Answers {
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout | undefined;
  #wanted = 0;
  #waiting: PromiseWithResolvers<Buffer> | undefined;
  #fault: ProxyFault | undefined;

  constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    if (timeoutMs > 0) {
      this.#timer = setTimeout(
        () => this.#fail(fault(`no answer within ${timeoutMs} ms`, "ERR_PROXY_TIMEOUT")),
        timeoutMs,
      );
    }
    socket.on("readable", this.#onReadable).on("error", this.#onGone).on("close", this.#onGone);
  }

  read(length: number): Promise<Buffer> {
    this.#waiting = Promise.withResolvers();
    this.#wanted = length;
    const { promise } = this.#waiting;
    if (this.#fault === undefined) this.#onReadable();
    else this.#waiting.reject(this.#fault);
    return promise;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#socket.off("readable", this.#onReadable).off("error", this.#onGone).off("close", this.#onGone);
    // A fault between here and the next listener must not end the process.
    this.#socket.on("error", () => {});
  }

  #onReadable = () => {
    if (this.#waiting === undefined) return;
    const bytes: Buffer | null = this.#socket.read(this.#wanted);
    if (bytes === null) return;
    this.#waiting.resolve(bytes);
    this.#waiting = undefined;
  };

  #onGone = () => this.#fail(fault("the connection closed"));

  #fail(reason: ProxyFault): void {
    this.#fault ??= reason;
    this.#waiting?.reject(this.#fault);
    this.#waiting = undefined;
  }
}
