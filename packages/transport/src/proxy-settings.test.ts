import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { type Env, proxySettings } from "./proxy-settings.ts";

const route = (env: Env, url: string, proxyLoopback = false) =>
  proxySettings(env, { proxyLoopback })?.proxyFor(new URL(url))?.href;

describe(proxySettings, () => {
  it.each<[string, Env, string, string | undefined]>([
    ["nothing set", {}, "https://a.example/", undefined],
    ["an empty value", { HTTPS_PROXY: "" }, "https://a.example/", undefined],
    ["https", { HTTPS_PROXY: "http://p:1" }, "https://a.example/", "http://p:1/"],
    ["https leaves http alone", { HTTPS_PROXY: "http://p:1" }, "http://a.example/", undefined],
    ["http leaves https alone", { HTTP_PROXY: "http://p:1" }, "https://a.example/", undefined],
    ["all", { ALL_PROXY: "http://p:1" }, "http://a.example/", "http://p:1/"],
    [
      "the scheme's own first",
      { ALL_PROXY: "http://p:1", HTTP_PROXY: "http://q:2" },
      "http://a.example/",
      "http://q:2/",
    ],
    [
      "capitals first",
      { https_proxy: "http://p:1", HTTPS_PROXY: "http://q:2" },
      "https://a.example/",
      "http://q:2/",
    ],
    ["small letters", { https_proxy: "http://p:1" }, "https://a.example/", "http://p:1/"],
    ["no scheme", { HTTPS_PROXY: "p:3128" }, "https://a.example/", "http://p:3128/"],
    ["an https proxy", { HTTPS_PROXY: "https://p/some/path" }, "https://a.example/", "https://p/"],
    ["NO_PROXY", { HTTPS_PROXY: "http://p:1", no_proxy: "a.example" }, "https://a.example/", undefined],
    ["loopback", { HTTPS_PROXY: "http://p:1" }, "https://localhost/", undefined],
  ])("%s", proves("transport/proxy"), (_name, env, url, proxy) => {
    expect(route(env, url)).toBe(proxy);
  });

  it("sends loopback to the proxy when asked to", proves("transport/proxy"), () => {
    expect(route({ HTTP_PROXY: "http://p:1" }, "http://127.0.0.1:3/", true)).toBe("http://p:1/");
  });
});
