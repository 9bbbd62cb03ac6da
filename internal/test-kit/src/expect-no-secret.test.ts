import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { expectNoSecret } from "./expect-no-secret.ts";

const secret = "rt/Planted+Secret=1";
const fails = (value: unknown) =>
  expect(() => expectNoSecret(value, [secret])).toThrow("secret 0 can be read");

describe(expectNoSecret, () => {
  it("passes what does not hold the secret", () => {
    class Sealed {
      readonly #value = secret;
      get length() {
        return this.#value.length;
      }
    }
    expectNoSecret(new Sealed(), [secret]);
    expectNoSecret(Object.assign(new Error("no"), { code: "X" }), [secret]);
    expectNoSecret(undefined, [secret]);
  });

  it.each([
    ["a deep property", { a: [{ b: { c: { d: { e: secret } } } }] }],
    ["a map", new Map([["k", secret]])],
    ["a message", new Error(`bad ${secret}`)],
    ["a cause of a cause", new Error("a", { cause: new Error("b", { cause: secret }) })],
    ["an aggregate", new AggregateError([new Error(secret)], "both")],
    ["a field of an error", Object.assign(new Error("a"), { body: secret })],
    ["toJSON", { toJSON: (): object => ({ secret }), [inspect.custom]: (): string => "x" }],
    ["toString", { toString: (): string => secret, [inspect.custom]: (): string => "x" }],
    ["a URL", new URL(`http://x/?t=${encodeURIComponent(secret)}`)],
    ["a hidden property", Object.defineProperty({}, "raw", { value: secret })],
    ["bytes", { body: Buffer.from(`{"refresh_token":"${secret}"}`) }],
    ["bytes that are printed", { toString: () => inspect(new Uint8Array(Buffer.from(secret))) }],
    ["base64 of more", Buffer.from(`a${secret}b`).toString("base64")],
    ["hex", Buffer.from(secret).toString("hex")],
    ["base64", Buffer.from(secret).toString("base64")],
    ["base64url", Buffer.from(secret).toString("base64url")],
  ])("finds it in %s", (_where, value) => fails(value));

  it("refuses a secret too short to be told from chance, and an empty list", () => {
    expect(() => expectNoSecret("x", ["abc"])).toThrow("at least 6");
    expect(() => expectNoSecret("x", [])).toThrow("no secret");
  });
});
