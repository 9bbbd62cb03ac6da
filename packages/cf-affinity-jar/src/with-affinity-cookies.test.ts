import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { request, scriptedOrigin, setCookie } from "../test/scripted-origin.ts";
import { createAffinityJar } from "./create-affinity-jar.ts";
import { withAffinityCookies } from "./with-affinity-cookies.ts";

const pluginService = "https://chatgpt.com/backend-api/ps/mcp";

describe(withAffinityCookies, () => {
  it(
    "keeps the four-request contract for independent clients of one jar",
    proves("cf-affinity-jar/returns", "cf-affinity-jar/names", "cf-affinity-jar/hosts"),
    async () => {
      const jar = createAffinityJar();
      const origin = scriptedOrigin(
        { headers: setCookie("__cflb=west; Path=/; Secure", "session=private; Path=/") },
        { headers: setCookie("__cflb=central; Path=/") },
      );
      for (const url of [
        pluginService,
        pluginService,
        pluginService,
        "https://example.com/backend-api/ps/mcp",
      ]) {
        await withAffinityCookies(jar)(origin).send(request(url));
      }
      expect(origin.seen.map((_, index) => origin.cookies(index))).toEqual([
        [],
        ["__cflb=west"],
        ["__cflb=central"],
        [],
      ]);
    },
  );

  it.each([301, 302, 307, 403, 404, 500, 503])(
    "keeps a cookie set by a %i",
    proves("cf-affinity-jar/any-status"),
    async (status) => {
      const jar = createAffinityJar();
      const origin = scriptedOrigin({ status, headers: [["Set-Cookie", "__cflb=west"]] });
      await withAffinityCookies(jar)(origin).send(request("https://chatgpt.com/"));
      expect(jar.cookieHeader(new URL("https://chatgpt.com/"))).toBe("__cflb=west");
    },
  );

  it(
    "lets a caller's own cookie header go alone, in any spelling",
    proves("cf-affinity-jar/caller-wins"),
    async () => {
      const jar = createAffinityJar();
      jar.store(new URL(pluginService), ["__cflb=west; Path=/"]);
      const origin = scriptedOrigin({ headers: setCookie("__cflb=central; Path=/") });
      const headers = [
        ["Cookie", "mine=1"],
        ["COOKIE", "__cflb=mine"],
      ] as const;
      await withAffinityCookies(jar)(origin).send(request(pluginService, headers));
      await withAffinityCookies(jar)(origin).send(request(pluginService, [["cookie", ""]]));

      expect(origin.seen[0]?.headers).toEqual(headers);
      expect(origin.cookies(1)).toEqual([""]);
      expect(jar.cookieHeader(new URL(pluginService))).toBe("__cflb=central");
    },
  );

  it("adds no empty header", proves("cf-affinity-jar/no-empty-header"), async () => {
    const jar = createAffinityJar();
    const origin = scriptedOrigin();
    const transport = withAffinityCookies(jar)(origin);
    await transport.send(request("https://chatgpt.com/"));
    jar.store(new URL("https://chatgpt.com/deep/"), ["__cflb=west; Path=/deep"]);
    await transport.send(request("https://chatgpt.com/elsewhere"));
    expect([...origin.cookies(0), ...origin.cookies(1)]).toEqual([]);
  });

  it("passes a request to any other host on untouched", async () => {
    const origin = scriptedOrigin();
    const sent = Object.freeze(request("https://example.com/"));
    await withAffinityCookies(createAffinityJar())(origin).send(sent);
    expect(origin.seen[0]).toBe(sent);
  });

  it("leaves the set-cookie headers to the caller", async () => {
    const headers = setCookie("__cflb=west", "session=private");
    const response = await withAffinityCookies(createAffinityJar())(scriptedOrigin({ headers })).send(
      request("https://chatgpt.com/"),
    );
    expect(response.headers).toEqual(headers);
  });
});
