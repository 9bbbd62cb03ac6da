import type { OAuthCredential } from "@hawser/oauth-store";
import { proves } from "@hawser/test-kit";
import { TransportError } from "@hawser/transport";
import { describe, expect, it } from "vitest";
import { createMcpRefreshGrant } from "../src/index.ts";
import {
  issuer,
  postedForms,
  type ScriptedAuthority,
  scriptedAuthority,
  serverUrl,
} from "./scripted-authority.ts";

const credential: OAuthCredential = {
  serverName: "scripted",
  serverUrl,
  issuer,
  clientId: "client-7",
  accessToken: "planted-access-token",
  refreshToken: "planted-refresh-token",
  scopes: ["tools:read"],
};
const pins = { issuer, tokenEndpoint: "https://as.test/token", resource: "https://mcp.test/tenant/mcp" };

function spend(authority: ScriptedAuthority, change: object = {}) {
  return createMcpRefreshGrant({ transport: authority.transport })({
    credential,
    refreshToken: "planted-refresh-token",
    reason: "rejected",
    pins,
    signal: new AbortController().signal,
    ...change,
  });
}

describe(createMcpRefreshGrant, () => {
  it(
    "sends the token once to the pinned endpoint and hands the answer over unread",
    proves("mcp-http/refresh-pinned"),
    async () => {
      const authority = scriptedAuthority();
      Object.assign(authority.metadata, { token_endpoint: "https://evil.test/token" });
      authority.override = ({ url }) =>
        url.pathname === "/token"
          ? {
              status: 503,
              headers: [
                ["retry-after", "120"],
                ["x-request-id", "r-1"],
              ],
              body: "not json",
            }
          : undefined;
      const before = Date.now();
      const answer = await spend(authority);
      expect(answer).toMatchObject({ sent: "yes", status: 503, correlationId: "r-1" });
      expect(answer.sent === "yes" && Buffer.from(answer.body).toString()).toBe("not json");
      expect(answer.retryAtMs).toBeGreaterThanOrEqual(before + 120_000);
      expect(authority.log).toEqual(["POST https://as.test/token"]);
      expect(postedForms(authority)).toEqual([
        {
          grant_type: "refresh_token",
          refresh_token: "planted-refresh-token",
          client_id: "client-7",
          resource: "https://mcp.test/tenant/mcp",
        },
      ]);
      const sent = authority.transport.seen[0]?.headers.map(([name]) => name);
      expect(sent).toEqual(["content-type", "accept"]);
    },
  );

  it("follows no redirect with the token", proves("mcp-http/refresh-pinned"), async () => {
    const authority = scriptedAuthority();
    authority.override = () => ({ status: 307, headers: [["location", "https://evil.test/token"]] });
    expect(await spend(authority)).toMatchObject({ sent: "yes", status: 307 });
    expect(authority.log).toHaveLength(1);
  });

  it(
    "finds the endpoint of the login's own issuer where nothing is pinned",
    proves("mcp-http/refresh-pinned"),
    async () => {
      const authority = scriptedAuthority();
      authority.override = ({ url }) =>
        url.pathname.startsWith("/.well-known/oauth-protected-resource")
          ? { body: { json: authority.resource } }
          : undefined;
      expect(await spend(authority, { pins: {} })).toMatchObject({ sent: "yes", status: 200 });
      expect(authority.log.at(-1)).toBe("POST https://as.test/token");
    },
  );

  it.each<[string, object, (authority: ScriptedAuthority) => void, string]>([
    [
      "the login names no issuer",
      { credential: { ...credential, issuer: undefined } },
      () => {},
      "issuer-unknown",
    ],
    [
      "the server has another issuer now",
      {},
      (a) => {
        a.override = ({ url }) =>
          url.pathname.startsWith("/.well-known/oauth-protected-resource")
            ? { body: { json: { ...a.resource, authorization_servers: ["https://evil.test"] } } }
            : undefined;
      },
      "issuer-changed",
    ],
    [
      "the issuer contradicts itself",
      {},
      (a) => Object.assign(a.metadata, { issuer: "https://evil.test" }),
      "issuer-mismatch",
    ],
    [
      "its metadata cannot be had",
      {},
      (a) => {
        a.override = ({ url }) => (url.host === "as.test" ? { status: 503 } : undefined);
      },
      "status-503",
    ],
    [
      "the token endpoint has no TLS",
      {},
      (a) => Object.assign(a.metadata, { token_endpoint: "http://as.test/token" }),
      "token-endpoint",
    ],
  ])("keeps the token when %s", proves("mcp-http/refresh-not-sent"), async (_name, change, spoil, code) => {
    const authority = scriptedAuthority();
    spoil(authority);
    // Only what no later try could find otherwise ends in a login.
    const isFinal = code === "issuer-unknown" || code === "issuer-changed";
    const answer = isFinal ? { sent: "no", code, loginNeeded: true } : { sent: "no", code };
    expect(await spend(authority, { pins: {}, ...change })).toEqual(answer);
    expect(postedForms(authority)).toEqual([]);
  });

  it("ignores pins of another issuer", proves("mcp-http/refresh-pinned"), async () => {
    const authority = scriptedAuthority();
    const other = { ...pins, issuer: "https://evil.test", tokenEndpoint: "https://evil.test/token" };
    expect(await spend(authority, { pins: other })).toMatchObject({ sent: "yes" });
    expect(authority.log.filter((line) => line.includes("evil"))).toEqual([]);
  });

  it.each([
    ["no", "no"],
    ["unknown", "unknown"],
    // A head without its body is no answer.
    ["yes", "unknown"],
  ] as const)(
    "reports a request that was sent: %s as %s",
    proves("mcp-http/refresh-not-sent"),
    async (sent, reported) => {
      const authority = scriptedAuthority();
      authority.override = () => {
        throw new TransportError("ERR_TRANSPORT_RESET", "gone", { sent });
      };
      expect(await spend(authority)).toEqual({ sent: reported, code: "ERR_TRANSPORT_RESET" });
    },
  );

  it("takes an answer over 1 MiB for none", proves("mcp-http/refresh-not-sent"), async () => {
    const authority = scriptedAuthority();
    authority.override = () => ({ body: "x".repeat(1_048_577) });
    expect(await spend(authority)).toEqual({ sent: "unknown", code: "ERR_MCP_HTTP_ANSWER_TOO_LARGE" });
    authority.override = () => ({ body: "x".repeat(1_048_576) });
    expect(await spend(authority)).toMatchObject({ sent: "yes" });
  });
});
