import { describe, expect, it } from "vitest";
import { isInsideResource, isSafeEndpoint } from "./resource.ts";

describe(isInsideResource, () => {
  const resource = new URL("https://gateway.test/tenant-a/mcp");
  it.each([
    ["https://gateway.test/tenant-a/mcp", true],
    ["https://gateway.test/tenant-a/mcp/", true],
    ["https://gateway.test/tenant-a/mcp/x?y=1", true],
    ["https://gateway.test:443/tenant-a/mcp", true],
    ["https://gateway.test/tenant-a/mcp2", false],
    ["https://gateway.test/tenant-b/mcp", false],
    ["https://gateway.test/tenant-a/mcp/../../tenant-b/mcp", false],
    ["https://gateway.test/tenant-a/mcp/%2e%2e/%2e%2e/tenant-b", false],
    ["https://gateway.test:444/tenant-a/mcp", false],
    ["http://gateway.test/tenant-a/mcp", false],
    ["https://gateway.test.evil.test/tenant-a/mcp", false],
  ])("%s: %s", (url, inside) => {
    expect(isInsideResource(resource, new URL(url))).toBe(inside);
  });

  it("covers a whole origin when the resource is its root", () => {
    expect(isInsideResource(new URL("https://a.test/"), new URL("https://a.test/any"))).toBe(true);
    expect(isInsideResource(new URL("https://a.test/mcp/"), new URL("https://a.test/mcp"))).toBe(true);
  });
});

describe(isSafeEndpoint, () => {
  it.each([
    ["https://a.test/x", true],
    ["http://127.0.0.1:1/x", true],
    ["http://localhost:1/x", true],
    ["http://[::1]/x", true],
    ["http://a.test/x", false],
    ["http://127.evil.test/x", false],
    ["http://127.0.0.1.evil.test/x", false],
    ["https://user:pass@a.test/x", false],
    ["file:///etc/passwd", false],
    ["javascript:alert(1)", false],
  ])("%s: %s", (url, safe) => {
    expect(isSafeEndpoint(new URL(url))).toBe(safe);
  });
});
