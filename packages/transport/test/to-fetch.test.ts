import { once } from "node:events";
import { proves, type ScriptedServer } from "@hawser/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FetchLike, type HttpTransport, Operation, toFetch } from "../src/index.ts";
import { scriptedTransport } from "../src/testing.ts";
import { rejection } from "./support/failure.ts";
import { isProxied, SAMPLED_WIRES, startWire, type Wire } from "./support/wires.ts";

describe.concurrent.each(SAMPLED_WIRES)("over %s", (name) => {
  let wire: Wire;
  let transport: HttpTransport & AsyncDisposable;
  let send: FetchLike;
  let server: ScriptedServer;
  let gone: Promise<unknown>;

  beforeAll(async () => {
    wire = await startWire(name);
    transport = wire.transport();
    send = toFetch(transport);
    server = await wire.server({
      handler: (seen, exchange) => {
        gone = once(exchange.gone, "abort");
        if (seen.path === "/moved") return { status: 302, headers: { location: "/there" } };
        if (seen.path === "/empty") return { status: 204 };
        if (seen.path === "/silent") return undefined;
        if (seen.path === "/stalls") {
          exchange.response.write("begun");
          return undefined;
        }
        return {
          status: seen.path === "/teapot" ? 418 : 200,
          headers: { "x-method": seen.method, "set-cookie": ["a=1", "b=2"], "content-type": "text/plain" },
          body: seen.body,
        };
      },
    });
  });
  afterAll(async () => {
    await transport[Symbol.asyncDispose]();
    await server.close();
    await wire[Symbol.asyncDispose]();
  });
  const at = (path: string) => new URL(path, server.url).href;

  describe(toFetch, { concurrent: false }, () => {
    it("gives a real Response", proves("transport/to-fetch"), async () => {
      const response = await send(at("/teapot"), { method: "post", body: "tea" });

      expect(response).toBeInstanceOf(Response);
      expect([response.status, response.ok, response.url, response.redirected]).toEqual([
        418,
        false,
        at("/teapot"),
        false,
      ]);
      expect([response.headers.get("X-Method"), response.headers.getSetCookie()]).toEqual([
        "POST",
        ["a=1", "b=2"],
      ]);
      expect(await response.clone().text()).toBe("tea");
      expect(await response.text()).toBe("tea");
    });

    it.each<[string, RequestInit["body"], string, string | undefined]>([
      ["a string", "text", "text", "text/plain;charset=UTF-8"],
      ["bytes", new Uint8Array([116]), "t", undefined],
      ["a buffer", new Uint8Array([116]).buffer, "t", undefined],
      [
        "a form",
        new URLSearchParams({ a: "1 2" }),
        "a=1+2",
        "application/x-www-form-urlencoded;charset=UTF-8",
      ],
      ["a blob", new Blob(["blob"], { type: "x/y" }), "blob", "x/y"],
      ["a stream", ReadableStream.from([Buffer.from("str"), Buffer.from("eam")]), "stream", undefined],
      ["nothing", null, "", undefined],
    ])("sends %s as fetch does", proves("transport/to-fetch"), async (_name, body, text, type) => {
      await (await send(new URL(at("/echo")), { method: "POST", body: body ?? null })).text();

      expect([server.seen.at(-1)?.body, server.seen.at(-1)?.headers["content-type"]]).toEqual([text, type]);
    });

    it("takes a Request", proves("transport/to-fetch"), async () => {
      const request = new Request(at("/echo"), { method: "PUT", body: "put", headers: { "x-a": "1" } });

      const response = await send(request);

      expect([await response.text(), response.headers.get("x-method")]).toEqual(["put", "PUT"]);
      expect(server.seen.at(-1)?.headers["x-a"]).toBe("1");
    });

    it("follows, hands on or refuses redirects as init says", proves("transport/to-fetch"), async () => {
      const followed = await send(at("/moved"));
      expect([followed.status, followed.redirected, followed.url]).toEqual([200, true, at("/there")]);
      await followed.text();

      const manual = await send(at("/moved"), { redirect: "manual" });
      expect([manual.status, manual.headers.get("location")]).toEqual([302, "/there"]);
      await manual.text();

      expect(await rejection(send(at("/moved"), { redirect: "error" }))).toMatchObject({
        name: "TypeError",
        cause: { code: "ERR_TRANSPORT_REDIRECT_REFUSED" },
      });
    });

    it("has no body where HTTP has none", proves("transport/to-fetch"), async () => {
      const empty = await send(at("/empty"));
      const head = await send(at("/echo"), { method: "HEAD" });

      expect([empty.status, empty.body, head.status, head.body]).toEqual([204, null, 200, null]);
    });

    it(
      "reads only what is asked for, and lets go when the stream is cancelled",
      proves("transport/to-fetch"),
      async () => {
        const response = await send(at("/stalls"));
        const reader = response.body?.getReader();
        const first = await reader?.read();
        await reader?.cancel();

        expect(Buffer.from(first?.value ?? []).toString()).toBe("begun");
        await gone;
      },
    );

    it("pulls nothing before it is read", proves("transport/to-fetch"), async () => {
      let pulled = 0;
      async function* body() {
        for (;;) {
          pulled += 1;
          yield new Uint8Array(1);
        }
      }
      const response = await toFetch(scriptedTransport([{ body: body() }]))("https://a.example/");
      await new Promise((resolve) => setImmediate(resolve));
      expect(pulled).toBe(0);

      const reader = response.body?.getReader();
      await reader?.read();

      expect(pulled).toBe(1);
      await reader?.cancel();
    });

    it(
      "rejects with the signal's reason, before and after the head",
      proves("transport/to-fetch"),
      async () => {
        const reason = new Error("enough");
        expect(await rejection(send(at("/echo"), { signal: AbortSignal.abort(reason) }))).toBe(reason);

        const controller = new AbortController();
        const response = await send(at("/stalls"), { signal: controller.signal });
        const reading = response.text();
        controller.abort(reason);

        expect(await rejection(reading)).toBe(reason);
        await gone;

        const timed = send(at("/silent"), { signal: AbortSignal.timeout(30) });
        expect(await rejection(timed)).toMatchObject({ name: "TimeoutError" });
      },
    );

    it.skipIf(isProxied(name))(
      "fails as fetch does, with the TransportError as cause",
      proves("transport/to-fetch"),
      async () => {
        const raw = await wire.raw(() => {});
        await raw[Symbol.asyncDispose]();

        const error = await send(raw.url).catch((fault: unknown) => fault);

        expect(error).toBeInstanceOf(TypeError);
        expect(error).toMatchObject({
          message: "fetch failed",
          cause: { code: "ERR_TRANSPORT_REFUSED", sent: "no" },
        });
      },
    );

    it("lets errors of other rooms pass as they are", proves("transport/to-fetch"), async () => {
      const marker = Object.assign(new Error("sign in"), { code: "ERR_OTHER_ROOM" });

      expect(await rejection(toFetch(scriptedTransport([marker]))("https://a.example/"))).toBe(marker);
    });

    it("puts every request in the operation it is given", proves("transport/to-fetch"), async () => {
      const operation = Operation.start({ label: "tools/list" });
      const next = scriptedTransport(() => ({}));

      await toFetch(next, { operation: () => operation, limits: { maxResponseBytes: 5 } })(
        "https://a.example/",
      );

      expect([next.seen[0]?.operation, next.seen[0]?.limits]).toEqual([operation, { maxResponseBytes: 5 }]);
    });
  });
});
