import { inspect } from "node:util";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { hawser } from "../test/identities.ts";
import { type ClientIdentityError, isClientIdentityError } from "./errors.ts";
import { parseClientInfo } from "./parse-client-info.ts";

function parse(clientInfo: unknown) {
  return parseClientInfo(clientInfo, { process: hawser });
}

function refusal(clientInfo: unknown): ClientIdentityError {
  try {
    parse(clientInfo);
  } catch (error) {
    if (isClientIdentityError(error)) return error;
    throw error;
  }
  throw new Error("was accepted");
}

describe(parseClientInfo, () => {
  it("makes the identity a client announces", proves("client-identity/user-agent"), () => {
    expect(parse({ name: "client_a", title: "Client A", version: "1.0.0", future: 1 })).toMatchObject({
      name: "client_a",
      title: "Client A",
      version: "1.0.0",
      originator: "client_a",
      userAgent: "client_a/0.169.0 (Debian 12.0.0; x86_64) xterm (client_a; 1.0.0)",
    });
  });

  it.each(["codex_app_server_daemon", "codex-backend"])("gives %s an identity of its own", (name) => {
    expect(parse({ name, version: "1" }).userAgent).toBe(
      `${name}/0.169.0 (Debian 12.0.0; x86_64) xterm (${name}; 1)`,
    );
  });

  it.each(["x", "Codex Desktop", "a".repeat(128), "~!#$%&'*+.^`|", "semi;colon", "(paren)"])(
    "accepts the name %j",
    proves("client-identity/names"),
    (name) => {
      expect(parse({ name, version: "1" }).originator).toBe(name);
    },
  );

  it.each([
    ["an empty name", ""],
    ["a name of blanks", "  "],
    ["a blank at the start", " a"],
    ["a blank at the end", "a "],
    ["a carriage return", "bad\rname"],
    ["a line feed", "bad\nname"],
    ["a line feed at the end", "bad\n"],
    ["a NUL", "bad\0name"],
    ["a tab", "bad\tname"],
    ["DEL", "bad\u007fname"],
    ["a letter outside ASCII", "naïve"],
    ["an escape sequence", "\u001b[31mred"],
  ])("refuses %s in the reference's words", proves("client-identity/names"), (_, name) => {
    expect(refusal({ name, version: "1" })).toMatchObject({
      code: "ERR_CLIENT_IDENTITY_INVALID_NAME",
      retry: "never",
      message: `Invalid clientInfo.name: '${name}'. Must be a valid HTTP header value.`,
    });
  });

  it("refuses 129 characters and shows only the first 128", proves("client-identity/names"), () => {
    expect(refusal({ name: "a".repeat(5000), version: "1" }).message).toBe(
      `Invalid clientInfo.name: '${"a".repeat(128)}…'. Must be a valid HTTP header value.`,
    );
    expect(refusal({ name: "a".repeat(129), version: "1" }).code).toBe("ERR_CLIENT_IDENTITY_INVALID_NAME");
  });

  it.each([
    undefined,
    null,
    "text",
    {},
    { name: "a" },
    { name: 1, version: "1" },
    { name: "a", version: 1 },
    { name: "a", version: "1", title: 1 },
  ])("refuses %j, which is no clientInfo", (clientInfo) => {
    expect(refusal(clientInfo).code).toBe("ERR_CLIENT_IDENTITY_INVALID_CLIENT_INFO");
  });

  it.each([
    ["1\n2", "1_2"],
    ["1.0-β\n", "1.0-__"],
    ["1.0-é", "1.0-_"],
    ["😀", "_"],
    ["", ""],
    ["9".repeat(200), "9".repeat(128)],
  ])("never refuses a version: %j becomes %j", proves("client-identity/user-agent"), (version, expected) => {
    const identity = parse({ name: "a", version });
    expect(identity.version).toBe(expected);
    expect(identity.userAgent).toMatch(/^[ -~]+$/);
  });

  it("keeps a title readable and unable to paint a terminal", proves("client-identity/printable"), () => {
    const title = "Ünï\u001b[31m red\u001b]0;title\u0007 \u202egnirts\u0000\u0085\u200b";
    expect(parse({ name: "a", version: "1", title }).title).toBe("Ünï red gnirts");
    expect(parse({ name: "a", version: "1", title: null })).not.toHaveProperty("title");
  });

  it("prints a refusal without what was refused in it", proves("client-identity/printable"), () => {
    const error = refusal({ name: "x\u001b[2J\r\n[audit] all is well\u202e", version: "1" });
    expect(error.message).toContain("\u001b[2J");
    for (const printed of [inspect(error), String(error.stack)]) {
      expect(printed).toContain("x[audit] all is well'");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there.
      expect(printed).not.toMatch(/[\u001b\r\u202e]/);
    }
  });

  it("returns a value that nothing can change", proves("client-identity/immutable"), () => {
    const identity = parse({ name: "a", version: "1" });
    for (const part of [identity, identity.headers, identity.headers[0], identity.surroundings]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});
