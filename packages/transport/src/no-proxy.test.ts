import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { isLoopback, noProxyMatcher } from "./no-proxy.ts";

describe(noProxyMatcher, () => {
  it.each<[string, string, boolean]>([
    ["", "http://a.example/", false],
    ["*", "https://anything.example/", true],
    ["a.example", "https://a.example/", true],
    ["a.example", "https://b.a.example/", true],
    ["a.example", "https://xa.example/", false],
    ["a.example", "https://a.example.evil/", false],
    [".a.example", "https://a.example/", true],
    [".a.example", "https://b.a.example/", true],
    ["*.a.example", "https://b.a.example/", true],
    ["*.a.example", "https://ba.example/", false],
    ["A.Example", "https://a.example/", true],
    ["a.example", "https://a.example./", true],
    ["a.example:8443", "https://a.example:8443/", true],
    ["a.example:8443", "https://a.example/", false],
    ["a.example:443", "https://a.example/", true],
    ["a.example:80", "http://a.example/", true],
    ["x.example, a.example", "https://a.example/", true],
    ["x.example a.example", "https://a.example/", true],
    ["10.0.0.0/8", "http://10.1.2.3/", true],
    ["10.0.0.0/8", "http://11.1.2.3/", false],
    ["10.0.0.0/8:8080", "http://10.1.2.3:8080/", true],
    ["10.0.0.0/8", "http://10.example/", false],
    ["192.168.1.1", "http://192.168.1.1:99/", true],
    ["192.168.1.1", "http://192.168.1.10/", false],
    ["::1", "http://[::1]/", true],
    ["[::1]:8080", "http://[::1]:8080/", true],
    ["[::1]:8080", "http://[::1]/", false],
    ["fd00::/8", "http://[fd12::1]/", true],
    ["0:0:0:0:0:0:0:1", "http://[::1]/", true],
    ["10.0.0.0/99", "http://10.1.2.3/", false],
    ["/", "http://a.example/", false],
    [".", "http://a.example/", false],
  ])("%s and %s: %s", proves("transport/proxy"), (value, url, exempt) => {
    expect(noProxyMatcher(value)(new URL(url))).toBe(exempt);
  });
});

describe(isLoopback, () => {
  it.each<[string, boolean]>([
    ["localhost", true],
    ["a.localhost", true],
    ["127.0.0.1", true],
    ["127.9.9.9", true],
    ["[::1]", true],
    ["127.evil.example", false],
    ["localhost.evil.example", false],
    ["10.0.0.1", false],
    ["notlocalhost", false],
  ])("%s: %s", proves("transport/proxy"), (host, loopback) => {
    expect(isLoopback(host)).toBe(loopback);
  });
});
