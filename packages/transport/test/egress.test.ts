import type { LookupFunction } from "node:net";
import { proves, selfSignedCa, startScriptedServer } from "@hawser/test-kit";
import type { Dispatcher } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { meantAddress } from "../src/address-reach.ts";
import {
  createDispatcher,
  createUndiciTransport,
  type DispatcherOptions,
  type HttpRequest,
  withRedirects,
} from "../src/index.ts";
import { NOT_PUBLIC } from "./support/egress-table.ts";
import { failure } from "./support/failure.ts";
import { startForwardProxy } from "./support/forward-proxy.ts";
import { startNameServer } from "./support/name-server.ts";
import { startRawServer } from "./support/raw-server.ts";

/** The configured server, which the policy allows; it sends callers to wherever they say. */
let server: Awaited<ReturnType<typeof startScriptedServer>>;
/** Where a connection that should not be made would arrive, as far as it can arrive here. */
let target: Awaited<ReturnType<typeof startRawServer>>;
const made: Dispatcher[] = [];

beforeAll(async () => {
  server = await startScriptedServer({
    handler: ({ path }) =>
      path.startsWith("/to?")
        ? { status: 307, headers: { location: decodeURIComponent(path.slice(4)) } }
        : { headers: { connection: "close" }, body: "reached" },
  });
  target = await startRawServer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
});
afterAll(async () => {
  for (const dispatcher of made) await dispatcher.destroy();
  await server.close();
  await target[Symbol.asyncDispose]();
});

const transportWith = (options: DispatcherOptions) => {
  const dispatcher = createDispatcher(options);
  made.push(dispatcher);
  return createUndiciTransport({ dispatcher });
};
const get = (url: string | URL): HttpRequest => ({ method: "GET", url: new URL(url), headers: [] });
const configured = () => ({ reach: "public", except: [server.url.origin] }) as const;

/** Answers every name with the next of `addresses`, and with the last for ever. */
const answering = (...addresses: readonly string[]) => {
  const asked: string[] = [];
  const lookup: LookupFunction = (hostname, options, callback) => {
    const address = addresses[Math.min(asked.length, addresses.length - 1)] ?? "";
    asked.push(hostname);
    const family = address.includes(":") ? 6 : 4;
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
  return { lookup, asked };
};

const addresses = NOT_PUBLIC.map(([address, why]) => ({ address, why }));
const inUrl = (address: string) => (address.includes(":") ? `[${address}]` : address);
/** The forms of 127.0.0.1. */
const LOOPBACK: ReadonlySet<string> = new Set(
  NOT_PUBLIC.map(([address]) => address).filter((address) => meantAddress(address) === "127.0.0.1"),
);
/** A URL cannot name a zone. */
const inUrls = addresses.filter(({ address }) => !address.includes("%"));

describe("an address that is not public", () => {
  it("is in the table often enough", () => {
    expect(new Set(addresses.map(({ address }) => address)).size).toBeGreaterThanOrEqual(60);
  });

  it.each(["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1"])(
    "would be reached without a policy: %s",
    async (address) => {
      const before = target.sockets.length;
      await (await transportWith({}).send(get(`http://${inUrl(address)}:${target.port}/`))).bytes();
      expect(target.sockets.length).toBe(before + 1);
    },
  );

  it.each(inUrls)(
    "is not reached directly: $address ($why)",
    proves("transport/egress"),
    async ({ address }) => {
      const before = target.sockets.length;
      const url = `http://${inUrl(address)}:${target.port}/`;

      const error = await failure(transportWith({ egress: configured() }).send(get(url)));

      expect([error.code, error.sent, error.retry]).toEqual(["ERR_TRANSPORT_EGRESS_DENIED", "no", "never"]);
      expect(target.sockets.length).toBe(before);
    },
  );

  it.each(addresses)(
    "is not reached by a name: $address ($why)",
    proves("transport/egress"),
    async ({ address }) => {
      const before = target.sockets.length;
      const { lookup, asked } = answering(address);
      const transport = transportWith({ egress: configured(), lookup });

      const error = await failure(transport.send(get(`http://innocent.example:${target.port}/`)));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_EGRESS_DENIED", "no"]);
      expect([asked, target.sockets.length]).toEqual([["innocent.example"], before]);
    },
  );

  it.each(inUrls)(
    "is not reached by a redirect: $address ($why)",
    proves("transport/egress"),
    async ({ address }) => {
      const before = [server.seen.length, target.sockets.length];
      const onward = encodeURIComponent(`http://${inUrl(address)}:${target.port}/`);
      const transport = withRedirects({ mode: "follow" })(transportWith({ egress: configured() }));

      const error = await failure(transport.send(get(new URL(`/to?${onward}`, server.url))));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_EGRESS_DENIED", "no"]);
      expect([server.seen.length, target.sockets.length]).toEqual([(before[0] ?? 0) + 1, before[1]]);
    },
  );

  it.each(addresses)(
    "is not reached by rebinding: $address ($why)",
    proves("transport/egress"),
    async ({ address }) => {
      // Elsewhere than the row, which an exception for its own address would let through.
      const home = LOOPBACK.has(address) ? "::1" : "127.0.0.1";
      await using first = await startRawServer((socket) => {
        socket.end("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nreached");
      }, home);
      const { lookup, asked } = answering(home, address);
      const egress = { reach: "public", except: [first.url.origin] } as const;
      const transport = transportWith({ egress, lookup });
      const url = `http://rebinding.example:${first.port}/`;
      expect(await (await transport.send(get(url))).text()).toBe("reached");

      const error = await failure(transport.send(get(url)));

      expect([error.code, error.sent]).toEqual(["ERR_TRANSPORT_EGRESS_DENIED", "no"]);
      // One lookup for each connection: what was judged is what would have been connected to.
      expect([asked.length, first.sockets.length]).toEqual([2, 1]);
    },
  );
});

describe("the egress policy", () => {
  it("judges each answer of a real name server, also over TLS", proves("transport/egress"), async () => {
    const ca = await selfSignedCa();
    await using secure = await startScriptedServer({
      tls: await ca.issue(["rebinding.example"]),
      handler: () => ({ headers: { connection: "close" }, body: "reached" }),
    });
    const names = await startNameServer(["127.0.0.1", "10.0.0.1", "169.254.169.254", "127.0.0.1"]);
    const transport = transportWith({
      egress: { reach: "public", except: [`127.0.0.1:${secure.port}`] },
      lookup: names.lookup,
      ca: ca.pem,
    });
    const url = `https://rebinding.example:${secure.port}/`;

    const outcomes: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      outcomes.push(
        await transport.send(get(url)).then(
          (response) => response.text(),
          ({ code }: { code: string }) => code,
        ),
      );
    }
    await names[Symbol.asyncDispose]();

    expect(outcomes).toEqual([
      "reached",
      "ERR_TRANSPORT_EGRESS_DENIED",
      "ERR_TRANSPORT_EGRESS_DENIED",
      "reached",
    ]);
    expect([names.asked, secure.seen.length]).toEqual([4, 2]);
  });

  it("connects to the allowed ones of several addresses", proves("transport/egress"), async () => {
    const lookup: LookupFunction = (_hostname, _options, callback) =>
      callback(null, [
        { address: "10.0.0.1", family: 4 },
        { address: "127.0.0.1", family: 4 },
        { address: "::1", family: 6 },
      ]);
    const transport = transportWith({ egress: { reach: "public", except: ["127.0.0.1"] }, lookup });

    const response = await transport.send(get(`http://several.example:${server.port}/`));

    expect(await response.text()).toBe("reached");
  });

  it("says that a name did not resolve when it did not", proves("transport/egress"), async () => {
    const lookup: LookupFunction = (_hostname, _options, callback) =>
      callback(Object.assign(new Error("not found"), { code: "ENOTFOUND" }), "", 0);

    const error = await failure(
      transportWith({ egress: { reach: "public" }, lookup }).send(get("http://nowhere.example/")),
    );

    expect(error.code).toBe("ERR_TRANSPORT_DNS");
  });

  it("sees through every spelling of an address in a URL", proves("transport/egress"), async () => {
    const transport = transportWith({ egress: { reach: "public" } });
    for (const host of ["2130706433", "0x7f.1", "017700000001", "127.1", "127.0.0.1.", "[::ffff:7f00:1]"]) {
      const error = await failure(transport.send(get(`http://${host}:${target.port}/`)));
      expect([host, error.code]).toEqual([host, "ERR_TRANSPORT_EGRESS_DENIED"]);
    }
  });

  it(
    "holds for addresses and for this machine's names behind a proxy",
    proves("transport/egress"),
    async () => {
      await using proxy = await startForwardProxy({ refuseWith: 502 });
      for (const scheme of ["http", "https"]) {
        const transport = transportWith({
          env: { ALL_PROXY: proxy.url.href },
          proxyLoopback: true,
          egress: { reach: "public" },
        });
        for (const host of ["169.254.169.254", "[::1]", "localhost", "a.localhost.", "10.0.0.1"]) {
          const error = await failure(transport.send(get(`${scheme}://${host}:${target.port}/`)));
          expect([host, error.code, error.sent]).toEqual([host, "ERR_TRANSPORT_EGRESS_DENIED", "no"]);
        }
        expect(proxy.seen).toEqual([]);
      }
    },
  );

  it("judges no address of the proxy itself", proves("transport/egress"), async () => {
    await using proxy = await startForwardProxy();
    const transport = transportWith({
      env: { HTTP_PROXY: proxy.url.href },
      proxyLoopback: true,
      egress: { reach: "public", except: [server.url.origin] },
    });

    expect(await (await transport.send(get(server.url))).text()).toBe("reached");
  });

  it(
    "names the address in the cause alone, and no part of the URL's secrets",
    proves("transport/no-secrets"),
    async () => {
      const error = await failure(
        transportWith({ egress: { reach: "public" } }).send(get("http://10.0.0.1/?key=planted")),
      );

      expect(error.cause).toMatchObject({ message: "the egress policy does not allow 10.0.0.1" });
      expect(error.url).toBe("http://10.0.0.1/?key=…");
    },
  );
});
