import { describe, expect, it } from "vitest";
import { parseConfig } from "./parse-config.ts";

const whole = `
model = "local-model"
model_provider = "local"
chatgpt_base_url = "http://127.0.0.1:4/backend"
approval_policy = "never"

[model_providers.local]
base_url = "http://127.0.0.1:1/v1"
env_key = "LOCAL_KEY"
requires_openai_auth = true
request_max_retries = 0

[mcp_servers.secure]
url = "https://localhost:2/mcp"
environment_id = "remote1"
scopes = ["mcp:tools"]

[mcp_servers.old]
command = "something"

[[environments]]
id = "remote1"
url = "ws://127.0.0.1:3"
auth_bearer_token_env_var = "EXEC_BEARER"

[affinity]
hosts = ["localhost"]
`;

describe(parseConfig, () => {
  it("gives every default for an empty file", () => {
    const config = parseConfig("");
    expect(config).toMatchObject({ provider: { id: "openai", requiresAccount: true }, affinityHosts: [] });
    expect(config.provider.baseUrl).toBeUndefined();
    expect(config.mcpServers.size).toBe(0);
  });

  it("reads what it acts on and passes over what it does not know", () => {
    const config = parseConfig(whole);
    expect(config).toMatchObject({
      model: "local-model",
      provider: { id: "local", envKey: "LOCAL_KEY", requiresAccount: true, maxRetries: 0 },
      affinityHosts: ["localhost"],
    });
    expect(config.mcpServers.get("secure")).toMatchObject({
      environmentId: "remote1",
      scopes: ["mcp:tools"],
    });
    expect(config.mcpServers.get("old")?.url).toBeUndefined();
    expect(config.environments.get("remote1")?.url.href).toBe("ws://127.0.0.1:3/");
  });

  it.each([
    ["model = 3", /model/],
    ['model_provider = "none"', /"none"/],
    ['[model_providers.x]\nbase_url = "file:///etc/passwd"', /base_url/],
    ['[model_providers.x]\nbase_url = "http://a/"\nwire_api = "chat"', /wire_api/],
    ['[mcp_servers.x]\nurl = "http://a/"\nenvironment_id = "gone"', /environment_id/],
    ["model = ", /line 1/],
  ])("refuses %j and names the place", (text, place) => {
    expect(() => parseConfig(text)).toThrowError(
      expect.objectContaining({ code: "ERR_APP_SERVER_CONFIG", message: expect.stringMatching(place) }),
    );
  });

  it("keeps a mistyped secret out of its refusal", () => {
    const text = '[[environments]]\nid = "a"\nurl = "ws://h:1"\nauth_bearer_token = "planted-secret';
    expect(() => parseConfig(text)).not.toThrowError(/planted-secret/);
    expect(() => parseConfig(text)).toThrowError(/line 4/);
  });
});
