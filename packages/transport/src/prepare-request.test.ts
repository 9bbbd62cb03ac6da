import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { headerValue } from "./header-value.ts";
import type { HttpRequest } from "./http-request.ts";
import { prepareRequest } from "./prepare-request.ts";

const post = (more: Partial<HttpRequest>): HttpRequest => ({
  method: "POST",
  url: new URL("https://a.example/?q=1"),
  headers: [],
  ...more,
});

describe(prepareRequest, () => {
  it.each([
    ["gzip", gunzipSync],
    ["zstd", zstdDecompressSync],
  ] as const)(
    "compresses with %s and says so",
    proves("transport/prepared"),
    async (compress, decompress) => {
      const json = { text: "x".repeat(10_000) };

      const prepared = await prepareRequest(post({ body: { json }, headers: [["content-length", "1"]] }), {
        compress,
      });

      expect(JSON.parse(decompress(prepared.body as Uint8Array).toString())).toEqual(json);
      expect((prepared.body as Uint8Array).byteLength).toBeLessThan(1_000);
      expect(prepared.headers).toEqual([
        ["content-type", "application/json"],
        ["content-encoding", compress],
      ]);
    },
  );

  it("serialises once", proves("transport/prepared"), async () => {
    let serialisations = 0;
    const json = {
      toJSON: () => {
        serialisations += 1;
        return { a: 1 };
      },
    };

    const prepared = await prepareRequest(post({ body: { json } }));
    const again = await prepareRequest(prepared);

    expect([serialisations, again.body]).toEqual([1, prepared.body]);
    expect(headerValue(again.headers, "content-type")).toBe("application/json");
  });

  it("reads a stream so that it can be sent again", proves("transport/prepared"), async () => {
    const body = ReadableStream.from([Buffer.from("a"), Buffer.from("b")]);

    const prepared = await prepareRequest(post({ body }));

    expect(Buffer.from(prepared.body as Uint8Array).toString()).toBe("ab");
  });

  it("reads no more of a stream than allowed", proves("transport/prepared"), async () => {
    let released = false;
    async function* endless() {
      try {
        for (;;) yield new Uint8Array(10);
      } finally {
        released = true;
      }
    }

    await expect(prepareRequest(post({ body: endless() }), { maxBodyBytes: 100 })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_BODY_TOO_LARGE",
      sent: "no",
    });
    expect(released).toBe(true);
  });

  it("refuses to compress what is encoded already", proves("transport/prepared"), async () => {
    const request = post({ body: "x", headers: [["Content-Encoding", "br"]] });

    await expect(prepareRequest(request, { compress: "gzip" })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_INVALID_REQUEST",
    });
  });

  it("leaves a request without a body alone", async () => {
    const request = post({});

    expect(await prepareRequest(request, { compress: "zstd" })).toBe(request);
  });
});
