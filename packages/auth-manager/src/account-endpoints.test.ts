import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { accountEndpoints } from "./account-endpoints.ts";

describe(accountEndpoints, () => {
  it("derives every address from the issuer", () => {
    const endpoints = accountEndpoints({ issuer: "https://auth.example.com/" });
    expect(endpoints.issuer).toBe("https://auth.example.com");
    expect(Object.values(endpoints).map(String)).toEqual([
      "https://auth.example.com",
      "https://auth.example.com/oauth/token",
      "https://auth.example.com/oauth/revoke",
      "https://auth.example.com/oauth/authorize",
      "https://auth.example.com/oauth/token",
      "https://auth.example.com/api/accounts/deviceauth/usercode",
      "https://auth.example.com/api/accounts/deviceauth/token",
      "https://auth.example.com/codex/device",
      "https://auth.example.com/deviceauth/callback",
    ]);
  });

  it("looks for the revocation beside a token address of its own, without its query", () => {
    const endpoints = accountEndpoints({
      issuer: "https://auth.example.com",
      tokenUrl: "http://127.0.0.1:9/refresh?x=1",
    });
    expect(endpoints.revokeUrl.href).toBe("http://127.0.0.1:9/oauth/revoke");
    expect(endpoints.loginTokenUrl.href).toBe("https://auth.example.com/oauth/token");
  });

  it.each([
    "http://auth.example.com",
    "file:///etc/passwd",
    "https://user:secret@auth.example.com",
    "https://auth.example.com/#x",
    "javascript:alert(1)",
    "nonsense",
  ])("refuses %s, without repeating it", proves("auth-manager/safe-addresses"), (issuer) => {
    expect(() => accountEndpoints({ issuer })).toThrow(
      expect.objectContaining({
        code: "ERR_AUTH_MANAGER_OPTIONS",
        message: expect.not.stringContaining("secret"),
      }),
    );
  });
});
