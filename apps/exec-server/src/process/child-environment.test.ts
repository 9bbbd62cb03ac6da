import { describe, expect, it } from "vitest";
import { childEnvironment, matchesGlob } from "./child-environment.ts";

const policy = {
  inherit: "all" as const,
  ignoreDefaultExcludes: false,
  exclude: [],
  set: {},
  includeOnly: [],
};
const server = { PATH: "/bin", HOME: "/root", API_KEY: "k", KEYBOARD: "us", MY_SECRET: "s", OTHER: "o" };

describe(childEnvironment, () => {
  it.each([
    ["exactly env without a policy", undefined, { A: "1" }, ["A"]],
    ["everything but what sounds secret", policy, {}, ["HOME", "OTHER", "PATH"]],
    ["everything when told so", { ...policy, ignoreDefaultExcludes: true }, {}, Object.keys(server).sort()],
    ["the core", { ...policy, inherit: "core" as const }, {}, ["HOME", "PATH"]],
    [
      "nothing but what is set",
      { ...policy, inherit: "none" as const, set: { S: "1" } },
      { A: "1" },
      ["A", "S"],
    ],
    ["not what is excluded", { ...policy, exclude: ["p?th"] }, {}, ["HOME", "OTHER"]],
    ["only what is included, and env", { ...policy, includeOnly: ["*the*"] }, { A: "1" }, ["A", "OTHER"]],
  ])("gives %s", (_name, one, env, names) => {
    expect(Object.keys(childEnvironment(server, one, env)).sort()).toEqual(names);
  });

  it("keeps a name that is a prototype's", () => {
    const env = JSON.parse('{"__proto__":"x","constructor":"y"}');
    const result = childEnvironment({}, undefined, env);
    expect(Object.entries(result)).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    expect(Object.getPrototypeOf(result)).toBeNull();
  });
});

describe(matchesGlob, () => {
  it.each([
    ["PATH", "path", true],
    ["PATH", "pa*", true],
    ["PATH", "*", true],
    ["PATH", "p?t", false],
    ["A_TOKEN_B", "*token*", true],
    ["ABAB", "*ab", true],
    ["", "", true],
    ["A", "", false],
  ])("%s against %s: %s", (name, glob, expected) => {
    expect(matchesGlob(name, glob)).toBe(expected);
  });

  it("takes no longer for a pattern made to be slow", () => {
    expect(matchesGlob("a".repeat(10_000), `${"*a".repeat(500)}b`)).toBe(false);
  });
});
