import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { type CertificateAuthority, expectNoSecret, proves, selfSignedCa } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClientCertificate, createDispatcher, createUndiciTransport } from "../src/index.ts";
import { startForwardProxy } from "./support/forward-proxy.ts";

let ca: CertificateAuthority;
let client: ClientCertificate;
let other: ClientCertificate;
let url: URL;
let close: () => void;

beforeAll(async () => {
  ca = await selfSignedCa();
  client = await ca.issue(["client.example"]);
  other = await ca.issue(["other.example"]);
  const server = createServer(
    { ...(await ca.issue(["localhost"])), requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      response.end(JSON.stringify(subject?.CN ?? null));
    },
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = new URL(`https://localhost:${(server.address() as AddressInfo).port}/`);
  close = () => {
    server.close();
    server.closeAllConnections();
  };
});
afterAll(() => close());

const shownBy = async (clientCertificate: ClientCertificate | undefined, env = {}) => {
  const dispatcher = createDispatcher({ ca: ca.pem, clientCertificate, env, proxyLoopback: true });
  try {
    const transport = createUndiciTransport({ dispatcher });
    return await (await transport.send({ method: "GET", url, headers: [] })).json();
  } finally {
    await dispatcher.destroy();
  }
};

describe("a client certificate", () => {
  it("is shown to a server that asks for one", proves("transport/mutual-tls"), async () => {
    expect(await shownBy(client)).toBe("client.example");
    expect(await shownBy(undefined)).toBeNull();
  });

  it("is shown through a tunnel", proves("transport/mutual-tls"), async () => {
    await using proxy = await startForwardProxy();

    expect(await shownBy(client, { HTTPS_PROXY: proxy.url.href })).toBe("client.example");
    expect(proxy.seen.length).toBe(1);
  });

  it("may have an encrypted key", proves("transport/mutual-tls"), async () => {
    const key = createPrivateKey(client.key)
      .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "open sesame" })
      .toString();

    expect(await shownBy({ cert: client.cert, key, passphrase: "open sesame" })).toBe("client.example");
    await expect(shownBy({ cert: client.cert, key, passphrase: "planted" })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_BAD_CERTIFICATE",
    });
  });

  it.each<[string, () => ClientCertificate]>([
    ["is none", () => ({ cert: "nonsense", key: client.key })],
    ["has a key that is none", () => ({ cert: client.cert, key: `${client.key.slice(0, 60)}planted` })],
    ["is for another key", () => ({ cert: client.cert, key: other.key })],
  ])("that %s is refused at once, without its key", proves("transport/mutual-tls"), async (_name, make) => {
    const error = await shownBy(make()).catch((fault: unknown) => fault);

    expect(error).toMatchObject({ code: "ERR_TRANSPORT_BAD_CERTIFICATE", retry: "never" });
    expect(error).not.toHaveProperty("cause");
    expectNoSecret(error, ["planted", client.key.slice(40, 80)]);
  });
});
