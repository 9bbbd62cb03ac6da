import { createHttpResponse } from "@hawser/transport";
import { describe, expect, it } from "vitest";
import { fetchResponse } from "./fetch-response.ts";

function response(pieces: readonly string[], status = 200) {
  let cancelled = 0;
  const left = pieces.map((piece) => new TextEncoder().encode(piece));
  const web = fetchResponse(
    createHttpResponse({
      status,
      url: new URL("https://a.test/mcp"),
      headers: [["content-type", "application/json"]],
      body: {
        next: async () => {
          const value = left.shift();
          return value === undefined ? { done: true, value: undefined } : { done: false, value };
        },
        cancel: () => {
          cancelled += 1;
        },
      },
    }),
  );
  return { web, cancelled: () => cancelled };
}

describe(fetchResponse, () => {
  it("reads as JSON, text, bytes and stream", async () => {
    expect(await response(['{"a":', "1}"]).web.json()).toEqual({ a: 1 });
    expect(await response(["a", "b"]).web.text()).toBe("ab");
    expect(new TextDecoder().decode(await response(["a", "b"]).web.arrayBuffer())).toBe("ab");
    expect(await new Response(response(["a", "b"]).web.body).text()).toBe("ab");
    const { web } = response([], 404);
    expect([web.ok, web.status, web.statusText, web.url]).toEqual([
      false,
      404,
      "Not Found",
      "https://a.test/mcp",
    ]);
    expect(web.headers.get("Content-Type")).toBe("application/json");
  });

  it("is read by its clone and by itself", async () => {
    const { web } = response(["a", "b"]);
    const clone = web.clone();
    expect(clone).toBeInstanceOf(Response);
    expect(await Promise.all([clone.text(), web.text()])).toEqual(["ab", "ab"]);
  });

  it("lets go of the connection when its stream is cancelled", async () => {
    const { web, cancelled } = response(["a", "b"]);
    const reader = web.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(cancelled()).toBe(1);
    expect(web.bodyUsed).toBe(true);
  });
});
