import { inspect } from "node:util";
import { proves } from "@hawser/test-kit";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type AffinityJarOptions, createAffinityJar } from "./create-affinity-jar.ts";

const chat = new URL("https://chatgpt.com/");

function jarWith(lines: readonly string[], url = chat, options: AffinityJarOptions = {}) {
  const jar = createAffinityJar(options);
  jar.store(url, lines);
  return jar;
}

afterEach(() => {
  vi.useRealTimers();
});

describe(createAffinityJar, () => {
  it.each([
    ["https://chatgpt.com/", true],
    ["https://CHATGPT.com/", true],
    ["https://chatgpt.com:8443/", true],
    ["https://user:pass@chatgpt.com/", true],
    ["https://a.chatgpt.com/", true],
    ["https://a.b.chatgpt.com/", true],
    ["https://chat.openai.com/", true],
    ["https://chatgpt-staging.com/", true],
    ["https://x.chatgpt-staging.com/", true],
    ["http://chatgpt.com/", false],
    ["ws://chatgpt.com/", false],
    ["wss://chatgpt.com/", false],
    ["https://chatgpt.com./", false],
    ["https://a.chatgpt.com./", false],
    ["https://.chatgpt.com/", false],
    ["https://a..chatgpt.com/", false],
    ["https://foo.chat.openai.com/", false],
    ["https://openai.com/", false],
    ["https://api.openai.com/", false],
    ["https://auth.openai.com/", false],
    ["https://openai-staging.com/", false],
    ["https://evilchatgpt.com/", false],
    ["https://chatgpt.com.evil.example/", false],
    ["https://chatgpt.com@evil.example/", false],
    ["https://chatgрt.com/", false], // a Cyrillic р
    ["https://127.0.0.1/", false],
    ["https://[::1]/", false],
    ["https://localhost/", false],
  ])("with %s travels a cookie: %s", proves("cf-affinity-jar/hosts"), (href, allowed) => {
    const url = new URL(href);
    const jar = jarWith(["__cflb=west; Path=/"], url);
    expect(jar.allows(url)).toBe(allowed);
    expect(jar.cookieHeader(url)).toBe(allowed ? "__cflb=west" : undefined);
    expect(jar.inspect()).toHaveLength(allowed ? 1 : 0);
  });

  it("neither stores nor sends over http what https has", proves("cf-affinity-jar/hosts"), () => {
    const jar = jarWith(["__cflb=west; Path=/"]);
    jar.store(new URL("http://chatgpt.com/"), ["__cflb=east; Path=/"]);
    expect(jar.cookieHeader(new URL("http://chatgpt.com/"))).toBeUndefined();
    expect(jar.cookieHeader(chat)).toBe("__cflb=west");
  });

  it.each([
    ...["__cf_bm", "__cflb", "__cfruid", "__cfseq", "__cfwaitingroom", "__oailb", "_cfuvid"].map((n) => [
      n,
      true,
    ]),
    ...["cf_clearance", "cf_ob_info", "cf_use_ob", "cf_chl_", "cf_chl_rc_i"].map((n) => [n, true]),
    ...["__CFLB", "__cflbx", "x__cflb", "cf_chlx", "__cf_logged_in", "cf_clearance2"].map((n) => [n, false]),
    ...["oai-did", "__Secure-next-auth.session-token", "CF_CHL_x", "", "__cflb; x"].map((n) => [n, false]),
  ] as [string, boolean][])("keeps the name %j: %s", proves("cf-affinity-jar/names"), (name, kept) => {
    expect(jarWith([`${name}=v`]).cookieHeader(chat)).toBe(kept ? `${name}=v` : undefined);
  });

  it.each([
    ["spaces around name and value", "  __cflb =  west  ; Path=/", "__cflb=west"],
    ["an empty value", "__cflb=", "__cflb="],
    ["a value with an equals sign", "__cflb=a=b==", "__cflb=a=b=="],
    ["Secure and HttpOnly", "__cflb=west; Secure; HttpOnly; SameSite=None", "__cflb=west"],
    ["no equals sign", "__cflb", undefined],
    ["a letter outside ASCII", "__cflb=wést", undefined],
    ["a control character", "__cflb=we\u0007st", undefined],
    ["a line break", "__cflb=west\r\nx: y", undefined],
    ["a value over 4096 characters", `__cflb=${"x".repeat(4097)}`, undefined],
    ["a line over 8192 characters", `__cflb=west; X=${"x".repeat(8192)}`, undefined],
  ])("reads %s", (_, line, expected) => {
    expect(jarWith([line]).cookieHeader(chat)).toBe(expected);
  });

  it(
    "sends a domain cookie to the hosts below that domain that are allowed",
    proves("cf-affinity-jar/hosts"),
    () => {
      const jar = jarWith(["__cflb=west; Domain=chatgpt.com; Path=/"], new URL("https://a.chatgpt.com/"));
      expect(jar.cookieHeader(chat)).toBe("__cflb=west");
      expect(jar.cookieHeader(new URL("https://b.c.chatgpt.com/"))).toBe("__cflb=west");
      jar.store(new URL("https://chat.openai.com/"), ["__cfruid=r; Domain=openai.com; Path=/"]);
      expect(jar.cookieHeader(new URL("https://chat.openai.com/"))).toBe("__cfruid=r");
      expect(jar.cookieHeader(new URL("https://auth.openai.com/"))).toBeUndefined();
    },
  );

  it("keeps a host's own cookie to that host", proves("cf-affinity-jar/hosts"), () => {
    const jar = jarWith(["__cflb=west; Path=/"]);
    expect(jar.cookieHeader(new URL("https://a.chatgpt.com/"))).toBeUndefined();
    expect(jar.cookieHeader(new URL("https://chatgpt-staging.com/"))).toBeUndefined();
    expect(jar.cookieHeader(new URL("https://chatgpt.com:444/"))).toBe("__cflb=west");
  });

  it.each(["com", ".com", "co.uk", "example.com", "chatgpt.com.", "gpt.com", "evilchatgpt.com"])(
    "refuses Domain=%s",
    proves("cf-affinity-jar/public-suffix"),
    (domain) => {
      expect(jarWith([`__cflb=west; Domain=${domain}; Path=/`]).inspect()).toEqual([]);
    },
  );

  it(
    "obeys Path, and sends the longest first, then the one set first",
    proves("cf-affinity-jar/order"),
    () => {
      const jar = jarWith(["__cfruid=1; Path=/", "__cflb=root; Path=/", "__cflb=deep; Path=/backend-api"]);
      jar.store(chat, ["__cfruid=2; Path=/"]);
      expect(jar.cookieHeader(new URL("https://chatgpt.com/backend-api/ps"))).toBe(
        "__cflb=deep; __cfruid=2; __cflb=root",
      );
      expect(jar.cookieHeader(new URL("https://chatgpt.com/backend-apiary"))).toBe("__cfruid=2; __cflb=root");
    },
  );

  it("forgets what a server deletes or lets expire", () => {
    vi.useFakeTimers();
    const jar = jarWith(["__cflb=west; Max-Age=60", "__cfruid=r; Max-Age=60", "__cf_bm=b"]);
    expect(jar.inspect().map(({ expiresAtMs }) => expiresAtMs)).toEqual([
      Date.now() + 60_000,
      Date.now() + 60_000,
      undefined,
    ]);
    jar.store(chat, ["__cfruid=; Max-Age=0", "__cf_bm=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
    expect(jar.cookieHeader(chat)).toBe("__cflb=west");
    expect(jar.inspect()).toHaveLength(1);
    vi.advanceTimersByTime(60_001);
    expect(jar.cookieHeader(chat)).toBeUndefined();
    expect(jar.inspect()).toEqual([]);
  });

  it("counts Max-Age from when the cookie was set, however often it is used", () => {
    vi.useFakeTimers();
    const jar = jarWith(["__cflb=west; Max-Age=60", "__cfruid=r; Max-Age=9999999999999"]);
    for (let second = 0; second < 59; second++) {
      vi.advanceTimersByTime(1000);
      expect(jar.cookieHeader(chat)).toBe("__cflb=west; __cfruid=r");
    }
    vi.advanceTimersByTime(1000);
    expect(jar.cookieHeader(chat)).toBe("__cfruid=r");
  });

  it("forgets the cookie set longest ago when there are too many", proves("cf-affinity-jar/bounded"), () => {
    const jar = jarWith(["cf_chl_0=a", "cf_chl_1=b", "cf_chl_2=c"], chat, { maxCookies: 3 });
    jar.store(chat, ["cf_chl_0=again"]);
    jar.store(chat, ["cf_chl_3=d"]);
    expect(jar.inspect().map(({ name }) => name)).toEqual(["cf_chl_2", "cf_chl_0", "cf_chl_3"]);
    expect(jar.cookieHeader(chat)).toBe("cf_chl_0=again; cf_chl_2=c; cf_chl_3=d");
  });

  it("never sends more than its bytes", proves("cf-affinity-jar/bounded"), () => {
    const jar = jarWith(Array.from({ length: 1000 }, (_, index) => `cf_chl_${index}=${"x".repeat(index)}`));
    expect(jar.inspect().length).toBeLessThanOrEqual(64);
    expect(jar.cookieHeader(chat)?.length).toBeLessThanOrEqual(6144);
    expect(jar.cookieHeader(chat)).toContain("cf_chl_999=");
  });

  it(
    "refuses one cookie that is larger than the jar and keeps the others",
    proves("cf-affinity-jar/bounded"),
    () => {
      const jar = jarWith(["__cflb=west", `cf_clearance=${"x".repeat(100)}`], chat, { maxBytes: 64 });
      expect(jar.cookieHeader(chat)).toBe("__cflb=west");
    },
  );

  it("evicts an expired cookie before a living one", proves("cf-affinity-jar/bounded"), () => {
    vi.useFakeTimers();
    const jar = jarWith(["__cflb=west", "cf_chl_x=short; Max-Age=1"], chat, { maxCookies: 2 });
    vi.advanceTimersByTime(2000);
    jar.store(chat, ["__cfruid=r"]);
    expect(jar.cookieHeader(chat)).toBe("__cflb=west; __cfruid=r");
  });

  it("forgets everything on clear", () => {
    const jar = jarWith(["__cflb=west"]);
    jar.clear();
    expect([jar.cookieHeader(chat), jar.inspect()]).toEqual([undefined, []]);
    jar.store(chat, ["__cflb=east"]);
    expect(jar.cookieHeader(chat)).toBe("__cflb=east");
  });

  it("shows no value when inspected, printed or serialized", proves("cf-affinity-jar/no-values"), () => {
    const jar = jarWith(["__cflb=planted-secret-value; Path=/; Domain=chatgpt.com"]);
    const shown = [inspect(jar, { depth: 9, showHidden: true }), JSON.stringify(jar), `${jar}`];
    shown.push(JSON.stringify(jar.inspect()), inspect(jar.inspect(), { depth: 9, showHidden: true }));
    expect(shown.join("\n")).not.toContain("planted-secret-value");
    expect(jar.inspect()).toEqual([{ name: "__cflb", domain: "chatgpt.com", hostOnly: false, path: "/" }]);
  });

  it("serves the hosts and names a deployment chooses instead", proves("cf-affinity-jar/own-hosts"), () => {
    const hosts = { exact: ["localhost", "127.0.0.1", "Bücher.example"], suffixes: [".Example.com"] };
    const names = { exact: ["route"], prefixes: [] };
    const allowed = [
      "https://localhost:4433/",
      "https://127.0.0.1/",
      "https://bücher.example/",
      "https://a.example.com/",
    ];
    for (const href of allowed) {
      const url = new URL(href);
      expect(jarWith(["route=1", "__cflb=2"], url, { hosts, names }).cookieHeader(url)).toBe("route=1");
    }
    for (const href of ["https://example.com/", "https://chatgpt.com/", "http://localhost/"]) {
      const url = new URL(href);
      expect(jarWith(["route=1"], url, { hosts, names }).cookieHeader(url)).toBeUndefined();
    }
  });

  it.each([
    { exact: ["https://chatgpt.com"], suffixes: [] },
    { exact: ["chatgpt.com:443"], suffixes: [] },
    { exact: ["chatgpt.com."], suffixes: [] },
    { exact: ["chatgpt.com/x"], suffixes: [] },
    { exact: ["user@chatgpt.com"], suffixes: [] },
    { exact: ["*.chatgpt.com"], suffixes: [] },
    { exact: [""], suffixes: [] },
    { exact: [], suffixes: ["chatgpt.com"] },
    { exact: [], suffixes: ["."] },
    { exact: [], suffixes: [".com"] },
    { exact: [], suffixes: [".co.uk"] },
    { exact: [], suffixes: [".github.io"] },
  ])("refuses the list %j", proves("cf-affinity-jar/own-hosts"), (hosts) => {
    expect(() => createAffinityJar({ hosts })).toThrowError(
      expect.objectContaining({ code: "ERR_CF_AFFINITY_JAR_INVALID_HOST", retry: "never" }),
    );
  });

  it(
    "never lets a cookie cross hosts, schemes or names",
    proves("cf-affinity-jar/hosts", "cf-affinity-jar/names"),
    () => {
      const hosts = [
        "chatgpt.com",
        "a.chatgpt.com",
        "chatgpt-staging.com",
        "chat.openai.com",
        "openai.com",
        "evil.com",
      ];
      const origin = fc.record({ scheme: fc.constantFrom("https", "http"), host: fc.constantFrom(...hosts) });
      const line = fc.record({
        name: fc.constantFrom("__cflb", "cf_chl_x", "session", "__CFLB"),
        domain: fc.option(fc.constantFrom(...hosts, "com")),
      });
      fc.assert(
        fc.property(fc.array(fc.record({ from: origin, line, to: origin }), { maxLength: 8 }), (steps) => {
          const jar = createAffinityJar();
          for (const { from, line, to } of steps) {
            const domain = line.domain === null ? "" : `; Domain=${line.domain}`;
            jar.store(new URL(`${from.scheme}://${from.host}/`), [
              `${line.name}=${from.scheme}-${from.host}${domain}`,
            ]);
            const sent = jar.cookieHeader(new URL(`${to.scheme}://${to.host}/`)) ?? "";
            for (const cookie of sent === "" ? [] : sent.split("; ")) {
              const [name = "", value = ""] = cookie.split("=");
              expect(to.scheme).toBe("https");
              expect(["openai.com", "evil.com"]).not.toContain(to.host);
              expect(["__cflb", "cf_chl_x"]).toContain(name);
              // Who set it shares the registrable domain with who gets it.
              const site = to.host.split(".").slice(-2).join(".");
              expect(value.startsWith("https-") && value.endsWith(site)).toBe(true);
            }
          }
        }),
        { numRuns: 2000 },
      );
    },
  );
});
