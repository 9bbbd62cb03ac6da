import { describe, expect, it } from "vitest";
import { findSecret } from "./find-secret.ts";

const secrets = ["another-secret", "rt/Planted+Secret=1"];
const [, secret = ""] = secrets;

describe(findSecret, () => {
  it.each([0, 1, 2, 3])("finds a secret in the base64 of what has %i bytes before it", (before) => {
    const bytes = Buffer.from(`${"~".repeat(before)}${secret}~~`);
    for (const encoding of ["base64", "base64url"] as const) {
      expect(findSecret(bytes.toString(encoding), secrets)).toBe(1);
      expect(findSecret(Buffer.from(bytes.toString(encoding)), secrets)).toBe(1);
    }
  });

  it("finds it in the bytes of a file, and nothing where there is nothing", () => {
    expect(findSecret(Buffer.concat([Buffer.alloc(5000), Buffer.from(secret)]), secrets)).toBe(1);
    expect(findSecret(Buffer.alloc(5000), secrets)).toBe(-1);
    expect(findSecret("", secrets)).toBe(-1);
  });
});
