import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { isTransportError } from "./errors.ts";
import type { HeaderList, HttpBody, HttpRequest } from "./http-request.ts";
import { scriptedTransport } from "./scripted-transport.ts";
import { type RedirectOptions, withRedirects } from "./with-redirects.ts";

const moved = (status: number, location?: string) => ({
  status,
  headers: location === undefined ? [] : ([["Location", location]] as const),
  body: "moved",
});
const post = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: "POST",
  url: new URL(url),
  headers: [],
  body: "body",
  ...more,
});
async function run(
  script: Parameters<typeof scriptedTransport>[0],
  request: HttpRequest,
  options: Partial<RedirectOptions> = {},
) {
  const next = scriptedTransport(script);
  const outcome = await withRedirects({ mode: "follow", ...options })(next)
    .send(request)
    .then(
      async (response) => `${response.status} ${await response.text()}`,
      (error: unknown) => (isTransportError(error) ? error.code : Promise.reject(error)),
    );
  return { outcome, seen: next.seen, cancelled: next.cancelled };
}
const names = (headers: HeaderList) => headers.map(([name]) => name.toLowerCase());

describe(withRedirects, () => {
  it.each<[number, string, string, HttpBody | undefined]>([
    [301, "POST", "GET", undefined],
    [302, "POST", "GET", undefined],
    [303, "POST", "GET", undefined],
    [303, "PUT", "GET", undefined],
    [303, "HEAD", "HEAD", "body"],
    [301, "PUT", "PUT", "body"],
    [302, "DELETE", "DELETE", "body"],
    [307, "POST", "POST", "body"],
    [308, "POST", "POST", "body"],
  ])("on %i %s becomes %s", proves("transport/redirect-rules"), async (status, method, after, body) => {
    const headers = [
      ["Content-Type", "text/plain"],
      ["Content-Length", "4"],
      ["x-kept", "1"],
    ] as const;

    const { outcome, seen } = await run(
      [moved(status, "/b?c#d"), { body: "there" }],
      post("https://a.example/a", { method, headers }),
    );

    expect(outcome).toBe("200 there");
    expect([seen[1]?.method, seen[1]?.url.href, seen[1]?.body]).toEqual([
      after,
      "https://a.example/b?c",
      body,
    ]);
    expect(names(seen[1]?.headers ?? [])).toEqual(
      body === undefined ? ["x-kept"] : ["content-type", "content-length", "x-kept"],
    );
  });

  it.each<[string, ReturnType<typeof moved>]>([
    ["300", moved(300, "/b")],
    ["304", moved(304, "/b")],
    ["no Location", moved(302)],
    ["an unusable Location", moved(302, "http://[")],
  ])("hands on a response with %s", proves("transport/redirect-rules"), async (_name, reply) => {
    const { outcome, seen } = await run([reply], post("https://a.example/"));

    expect([outcome, seen.length]).toEqual([`${reply.status} moved`, 1]);
  });

  it("hands on a 307 when the body can be read only once", proves("transport/redirect-rules"), async () => {
    const body = (async function* () {
      yield new Uint8Array(1);
    })();

    const kept = await run([moved(307, "/b")], post("https://a.example/", { body }));
    const dropped = await run([moved(303, "/b"), {}], post("https://a.example/", { body }));

    expect([kept.outcome, kept.seen.length, kept.cancelled]).toEqual(["307 moved", 1, 0]);
    expect([dropped.outcome, dropped.seen[1]?.body]).toEqual(["200 ", undefined]);
  });

  it(
    "follows ten hops and not eleven",
    proves("transport/redirect-rules", "transport/redirect-hops"),
    async () => {
      const hops = (count: number) => [
        ...Array.from({ length: count }, () => moved(302, "/next")),
        { body: "end" },
      ];

      const ten = await run(hops(10), post("https://a.example/"));
      const eleven = await run(hops(11), post("https://a.example/"));

      expect([ten.outcome, ten.seen.length, ten.cancelled]).toEqual(["200 end", 11, 10]);
      expect([eleven.outcome, eleven.seen.length, eleven.cancelled]).toEqual([
        "ERR_TRANSPORT_REDIRECT_LIMIT",
        11,
        11,
      ]);
    },
  );

  it.each(["https://b.example/", "https://a.example:8443/", "//b.example/x"])(
    "takes credentials off on the way to %s",
    proves("transport/redirect-credentials"),
    async (location) => {
      const headers = [
        ["Authorization", "Bearer x"],
        ["COOKIE", "a=1"],
        ["Proxy-Authorization", "x"],
        ["Host", "a.example"],
        ["X-Key", "y"],
        ["accept", "*/*"],
      ] as const;

      const { seen } = await run([moved(307, location), {}], post("https://a.example/", { headers }), {
        sensitiveHeaders: ["x-KEY"],
      });

      expect(names(seen[1]?.headers ?? [])).toEqual(["accept"]);
    },
  );

  it("does not give credentials back on the way home", proves("transport/redirect-credentials"), async () => {
    const headers = [["authorization", "Bearer x"]] as const;

    const { seen } = await run(
      [moved(307, "https://b.example/"), moved(307, "https://a.example/"), {}],
      post("https://a.example/", { headers }),
    );

    expect(seen.map((request) => request.headers.length)).toEqual([1, 0, 0]);
  });

  it("keeps credentials within the origin", proves("transport/redirect-credentials"), async () => {
    const headers = [["authorization", "Bearer x"]] as const;

    const { seen } = await run(
      [moved(302, "https://A.example:443/b"), {}],
      post("https://a.example/", { headers }),
    );

    expect(seen[1]?.headers).toEqual(headers);
  });

  it("drops userinfo that a Location brings", proves("transport/redirect-credentials"), async () => {
    const { seen } = await run([moved(302, "https://u:p@b.example/"), {}], post("https://a.example/"));

    expect(seen[1]?.url.href).toBe("https://b.example/");
  });

  it.each([
    ["http://a.example/", {}],
    ["file:///etc/passwd", {}],
    ["data:text/plain,x", {}],
    ["https://b.example/", { mode: "same-origin" as const }],
    ["/b", { mode: "error" as const }],
  ])("refuses to go to %s", proves("transport/redirect-downgrade"), async (location, options) => {
    const { outcome, seen, cancelled } = await run(
      [moved(307, location), {}],
      post("https://a.example/"),
      options,
    );

    expect([outcome, seen.length, cancelled]).toEqual(["ERR_TRANSPORT_REDIRECT_REFUSED", 1, 1]);
  });

  it("goes from http to https", proves("transport/redirect-rules"), async () => {
    const { outcome } = await run(
      [moved(308, "https://a.example/"), { body: "up" }],
      post("http://a.example/"),
    );

    expect(outcome).toBe("200 up");
  });

  it("leaves redirects to the caller in manual mode", proves("transport/redirect-rules"), async () => {
    const { outcome, seen } = await run([moved(302, "/b")], post("https://a.example/"), { mode: "manual" });

    expect([outcome, seen.length]).toEqual(["302 moved", 1]);
  });

  it("shares one total limit among the hops", proves("transport/redirect-hops"), async () => {
    const { seen } = await run(
      [moved(307, "/b"), {}],
      post("https://a.example/", { limits: { totalTimeoutMs: 5_000, maxResponseBytes: 9 } }),
    );

    expect(seen[1]?.limits?.maxResponseBytes).toBe(9);
    expect(seen[1]?.limits?.totalTimeoutMs).toBeLessThan(5_000);
    expect(seen[1]?.limits?.totalTimeoutMs).toBeGreaterThan(0);
  });

  it("tells where the response came from", proves("transport/redirect-hops"), async () => {
    const next = scriptedTransport([moved(302, "https://b.example/end"), {}]);

    const response = await withRedirects({ mode: "follow" })(next).send(post("https://a.example/"));

    expect(response.url.href).toBe("https://b.example/end");
  });
});
