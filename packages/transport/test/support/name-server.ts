import { createSocket } from "node:dgram";
import { Resolver } from "node:dns";
import { once } from "node:events";
import type { LookupFunction } from "node:net";

export interface NameServer extends AsyncDisposable {
  /** Asks this server, every time anew. */
  readonly lookup: LookupFunction;
  /** Questions that came. */
  readonly asked: number;
}

/** A DNS server on loopback that answers each question for an A record with the next of `addresses`, to keep 0 s. */
export async function startNameServer(addresses: readonly string[]): Promise<NameServer> {
  let asked = 0;
  const socket = createSocket("udp4");
  socket.on("message", (question, { address, port }) => {
    const answer = addresses[Math.min(asked, addresses.length - 1)] ?? "0.0.0.0";
    asked += 1;
    // The name ends with an empty label; type and class follow (RFC 1035, 4.1.2).
    const end = question.indexOf(0, 12) + 5;
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(1, 6);
    head.writeUInt32BE(0, 8);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...answer.split(".").map(Number)]);
    socket.send(Buffer.concat([head, question.subarray(12, end), record]), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  return {
    get asked() {
      return asked;
    },
    lookup: (hostname, options, callback) => {
      resolver.resolve4(hostname, (error, found) => {
        if (error !== null) callback(error, "", 0);
        else if (options.all === true)
          callback(
            null,
            found.map((address) => ({ address, family: 4 })),
          );
        else callback(null, found[0] ?? "", 4);
      });
    },
    [Symbol.asyncDispose]: async () => {
      resolver.cancel();
      socket.close();
    },
  };
}
