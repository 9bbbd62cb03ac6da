import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { CHATGPT_HOSTS, createAffinityJar } from "../src/index.ts";
import { AffinityModel } from "./affinity-model.ts";

const pairs = process.env["HAWSER_TEST_LONG"] === "1" ? 100_000 : 20_000;
/** Pairs that one jar sees before the next begins. */
const PAIRS_PER_JAR = 40;

const DEPLOYMENTS = [
  { hosts: CHATGPT_HOSTS, maxCookies: 64, maxBytes: 6144 },
  { hosts: CHATGPT_HOSTS, maxCookies: 3, maxBytes: 6144 },
  { hosts: CHATGPT_HOSTS, maxCookies: 64, maxBytes: 60 },
  {
    hosts: {
      exact: ["localhost", "127.0.0.1", "xn--bcher-kva.example"],
      suffixes: [".example.com", ".a.co.uk"],
    },
    maxCookies: 64,
    maxBytes: 6144,
  },
];
const HOSTS = [
  ...[
    "chatgpt.com",
    "CHATGPT.com",
    "a.chatgpt.com",
    "b.a.chatgpt.com",
    "chatgpt.com.",
    ".chatgpt.com",
    "a..chatgpt.com",
  ],
  ...["chat.openai.com", "foo.chat.openai.com", "openai.com", "chatgpt-staging.com", "x.chatgpt-staging.com"],
  ...["evilchatgpt.com", "chatgpt.com.evil.example", "com", "localhost", "127.0.0.1", "10.0.0.1", "[::1]"],
  ...[
    "example.com",
    "a.example.com",
    "b.a.example.com",
    "a.co.uk",
    "b.a.co.uk",
    "bücher.example",
    "github.io",
  ],
];
const DOMAINS = [
  ...["", ".", "com", "co.uk", "uk", "github.io", "openai.com", "chatgpt.com", ".chatgpt.com", "ChatGPT.com"],
  ...[
    "a.chatgpt.com",
    "chat.openai.com",
    "chatgpt-staging.com",
    "evilchatgpt.com",
    "gpt.com",
    "example.com",
    "a.co.uk",
  ],
  ...["localhost", "127.0.0.1", "0.0.1", "a.example.com", "evil.example", "chatgpt.com."],
];
const NAMES = [
  ...["__cflb", "__cf_bm", "__oailb", "cf_clearance", "cf_chl_", "cf_chl_rc_i", "_cfuvid"],
  ...[
    "__CFLB",
    "__cflbx",
    "x__cflb",
    "cf_chlx",
    "session",
    "oai-did",
    "",
    "__cflb; x",
    "__Host-__cflb",
    "__cflb\t",
  ],
];
const PATHS = ["/", "/backend-api", "/backend-api/", "/backend-api/ps", "/backend-apiary", "/a%2Fb", "/A"];

function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Half of what is generated is at home somewhere, or hardly a cookie would ever be sent. */
const AT_HOME = {
  hosts: ["chatgpt.com", "chatgpt.com", "a.chatgpt.com", "chat.openai.com", "localhost", "a.example.com"],
  names: ["__cflb", "__cf_bm", "cf_chl_"],
  domains: ["chatgpt.com", "example.com", "openai.com", ""],
};

function generator(random: () => number) {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const sometimes = (probability: number, text: () => string): string =>
    random() < probability ? text() : "";
  const host = (): string => pick(random() < 0.5 ? AT_HOME.hosts : HOSTS);
  const name = (): string => pick(random() < 0.5 ? AT_HOME.names : NAMES);
  const domain = (): string => pick(random() < 0.5 ? AT_HOME.domains : DOMAINS);
  const url = (): URL => {
    const scheme = random() < 0.85 ? "https" : pick(["http", "wss", "ws"]);
    const user = sometimes(0.05, () => pick(["user:pass@", "chatgpt.com@"]));
    const port = sometimes(0.15, () => pick([":443", ":8443", ":80"]));
    return new URL(`${scheme}://${user}${host()}${port}${pick(PATHS)}`);
  };
  const line = (): string => {
    const value = pick([
      "west",
      "central",
      "",
      "a=b",
      '"quoted"',
      "two words",
      "é",
      "x".repeat(30),
      "\u0007",
      " padded ",
    ]);
    const attributes = [
      sometimes(0.4, () => `; Domain=${domain()}`),
      sometimes(0.5, () => `; Path=${pick([...PATHS, "", "relative"])}`),
      sometimes(0.2, () => `; Max-Age=${pick(["-1", "0", "3600", "soon", "99999999999999999999"])}`),
      sometimes(
        0.2,
        () => `; Expires=${pick(["Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 31 Dec 2099 23:59:59 GMT", "soon"])}`,
      ),
      sometimes(0.3, () => pick(["; Secure", "; HttpOnly", ";SameSite=None", "; domain", ";;"])),
    ];
    return `${name()}=${value}${attributes.toSorted(() => random() - 0.5).join("")}`;
  };
  return { pick, url, line };
}

describe("the jar beside an independent model", () => {
  it(`never lets a cookie cross hosts, schemes or names: ${pairs} pairs of a line and a URL`, {
    ...proves(
      "cf-affinity-jar/hosts",
      "cf-affinity-jar/names",
      "cf-affinity-jar/public-suffix",
      "cf-affinity-jar/bounded",
      "cf-affinity-jar/order",
    ),
    timeout: 300_000,
  }, () => {
    const seed = Date.now() % 2 ** 31;
    const { pick, url, line } = generator(seededRandom(seed));
    let sent = 0;
    for (let pair = 0; pair < pairs; ) {
      const deployment = pick(DEPLOYMENTS);
      const { hosts, maxCookies, maxBytes } = deployment;
      const jar = createAffinityJar(deployment);
      const model = new AffinityModel({
        exactHosts: hosts.exact,
        suffixes: hosts.suffixes,
        maxCookies,
        maxBytes,
      });
      const story: string[] = [`seed ${seed}`];
      for (const end = pair + PAIRS_PER_JAR; pair < end; pair += 1) {
        const [from, text, to] = [url(), line(), url()];
        story.push(`${from.href} sets ${JSON.stringify(text)}; then ${to.href}`);
        jar.store(from, [text]);
        model.set(from, text);
        for (const asked of [from, to]) {
          const expected = model.header(asked);
          if (expected !== undefined) sent += 1;
          if (jar.cookieHeader(asked) !== expected) {
            expect(jar.cookieHeader(asked), story.join("\n")).toBe(expected);
          }
        }
      }
    }
    // A model that sends nothing would agree with a jar that sends nothing.
    expect(sent).toBeGreaterThan(pairs / 10);
  });
});
