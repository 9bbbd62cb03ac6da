import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import type { JsonValue } from "./credential-kind.ts";
import { nestedEntryFormat } from "./nested-entry-format.ts";
import { oauthCredential } from "./oauth-credential.ts";

const format = nestedEntryFormat({ answer: "token_response", url: "url" });
const stored = {
  server_name: "mock",
  url: "https://mcp.example/mcp",
  issuer: "https://as.example",
  client_id: "client-1",
  token_response: {
    access_token: "at",
    token_type: "bearer",
    expires_in: 3600,
    refresh_token: "rt",
    scope: "a b",
    vendor: { kept: true },
  },
  expires_at: 1_900_000_000_000,
  added_later: [1],
};

describe(nestedEntryFormat, () => {
  it("reads what other programs keep in a keyring", proves("oauth-store/keyring-formats"), () => {
    expect(oauthCredential.parse(format.unpack(stored))).toEqual({
      serverName: "mock",
      serverUrl: "https://mcp.example/mcp",
      issuer: "https://as.example",
      clientId: "client-1",
      accessToken: "at",
      expiresAtMs: 1_900_000_000_000,
      refreshToken: "rt",
      scopes: ["a", "b"],
    });
  });

  it(
    "writes it as they read it, members it does not know included",
    proves("oauth-store/keyring-formats"),
    () => {
      const entry = format.unpack(stored);
      const next = { ...oauthCredential.parse(entry), accessToken: "at2", refreshToken: "rt2" };
      const { expires_in: _, ...answer } = stored.token_response;
      expect(format.pack(oauthCredential.serialize(next, entry))).toEqual({
        ...stored,
        token_response: { ...answer, access_token: "at2", refresh_token: "rt2" },
      });
    },
  );

  it("comes back the same, so that a snapshot compares equal", proves("oauth-store/keyring-formats"), () => {
    const entry = format.unpack(stored);
    expect(format.unpack(format.pack(entry))).toEqual(entry);
    const bare: JsonValue = {
      server_name: "m",
      url: "u",
      client_id: "c",
      token_response: { access_token: "at" },
    };
    expect(format.unpack(format.pack(format.unpack(bare)))).toEqual({
      ...(format.unpack(bare) as object),
      token_response: { token_type: "bearer" },
    });
  });

  it("does not take something else for a credential", () => {
    expect(() => format.unpack([])).toThrow(TypeError);
    expect(() => format.unpack({ token_response: "at" })).toThrow(TypeError);
  });
});
