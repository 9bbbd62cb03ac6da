import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { responseHeaders } from "./response-headers.ts";

describe(responseHeaders, () => {
  it("reads raw values as UTF-8 where they are, else as Latin-1", proves("transport/headers"), () => {
    const raw = [
      Buffer.from("X-Utf8"),
      Buffer.from("naïve"),
      Buffer.from("x-latin1"),
      Buffer.from("naïve", "latin1"),
      Buffer.from("x-plain"),
      Buffer.from(""),
    ];

    expect(responseHeaders(raw, {})).toEqual([
      ["x-utf8", "naïve"],
      ["x-latin1", "naïve"],
      ["x-plain", ""],
    ]);
  });

  it("falls back on parsed fields", () => {
    expect(responseHeaders(undefined, { "X-A": "1", "set-cookie": ["a", "b"], gone: undefined })).toEqual([
      ["x-a", "1"],
      ["set-cookie", "a"],
      ["set-cookie", "b"],
    ]);
  });
});
