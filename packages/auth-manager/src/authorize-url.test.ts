import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { authorizeUrl } from "./authorize-url.ts";
import { createPkce } from "./pkce.ts";

describe(authorizeUrl, () => {
  it("carries what the account's server reads", () => {
    const url = authorizeUrl({
      authorizeUrl: new URL("https://auth.example.com/oauth/authorize"),
      clientId: "app",
      redirectUri: "http://127.0.0.1:1455/auth/callback",
      state: "st",
      challenge: "ch",
      originator: "my client",
      allowedWorkspaceIds: ["ws_a", "ws_b"],
    });
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: "code",
      client_id: "app",
      redirect_uri: "http://127.0.0.1:1455/auth/callback",
      scope: "openid profile email offline_access api.connectors.read api.connectors.invoke",
      code_challenge: "ch",
      code_challenge_method: "S256",
      id_token_add_organizations: "true",
      codex_cli_simplified_flow: "true",
      state: "st",
      originator: "my client",
      allowed_workspace_id: "ws_a,ws_b",
    });
  });
});

describe(createPkce, () => {
  it("makes an S256 challenge of a verifier of 86 characters, new each time", () => {
    const { verifier, challenge } = createPkce();
    expect(verifier).toMatch(/^[\w-]{86}$/);
    expect(challenge).toBe(createHash("sha256").update(verifier).digest("base64url"));
    expect(createPkce().verifier).not.toBe(verifier);
  });
});
