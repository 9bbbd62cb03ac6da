import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { redactUrl } from "./redact-url.ts";

describe(redactUrl, () => {
  it.each([
    ["https://a.example/b", "https://a.example/b"],
    ["https://user:secret@a.example:8443/", "https://a.example:8443/"],
    ["https://a.example/?code=secret&state=&secret", "https://a.example/?code=…&state=…&…"],
    ["https://a.example/?a=secret=secret&&b=1#secret", "https://a.example/?a=…&b=…"],
    ["http://[::1]:80/x?", "http://[::1]/x"],
  ])("shows %s as %s", proves("transport/no-secrets"), (url, shown) => {
    expect(redactUrl(new URL(url))).toBe(shown);
  });
});
