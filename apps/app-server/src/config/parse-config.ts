import { parse } from "smol-toml";
import { z } from "zod";
import { AppServerError } from "../errors.ts";
import type { AppConfig, EnvironmentConfig, McpServerConfig, ModelProviderConfig } from "./app-config.ts";

/**
 * Reads the TOML text of a configuration: strict about what the server acts on, silent about what it does not
 * know. Empty text gives the defaults. Throws `ERR_APP_SERVER_CONFIG`, one line, without any value.
 */
export function parseConfig(text: string): AppConfig {
  const file = read(text);
  const providers = new Map(
    Object.entries(file.model_providers ?? {}).map(([id, entry]) => [id, provider(id, entry)]),
  );
  const chosen = file.model_provider ?? builtInProvider.id;
  const found = providers.get(chosen) ?? (chosen === builtInProvider.id ? builtInProvider : undefined);
  if (found === undefined)
    throw refused(`model_provider ${JSON.stringify(chosen)} is not in model_providers`);
  const environments = new Map((file.environments ?? []).map((entry) => [entry.id, environment(entry)]));
  const mcpServers = new Map(
    Object.entries(file.mcp_servers ?? {}).map(([name, entry]) => [name, mcpServer(name, entry)]),
  );
  for (const { name, environmentId } of mcpServers.values()) {
    if (environmentId !== undefined && !environments.has(environmentId)) {
      throw refused(`mcp_servers.${name}.environment_id names no entry of environments`);
    }
  }
  return {
    model: file.model ?? "gpt-5",
    instructions: file.instructions ?? "You are a helpful assistant.",
    provider: found,
    accountServiceUrl: new URL(file.chatgpt_base_url ?? "https://chatgpt.com/backend-api"),
    mcpServers,
    environments,
    affinityHosts: file.affinity?.hosts ?? [],
  };
}

const httpUrl = z.url({ protocol: /^https?$/ });
const wsUrl = z.url({ protocol: /^wss?$/ });
const headers = z.record(z.string(), z.string());
const seconds = z.number().positive().max(86_400);

const providerEntry = z.looseObject({
  name: z.string().optional(),
  base_url: httpUrl,
  env_key: z.string().min(1).optional(),
  requires_openai_auth: z.boolean().optional(),
  wire_api: z.literal("responses").optional(),
  http_headers: headers.optional(),
  request_max_retries: z.number().int().min(0).max(100).optional(),
  stream_idle_timeout_ms: z.number().int().positive().optional(),
});

const mcpEntry = z.looseObject({
  url: httpUrl.optional(),
  enabled: z.boolean().optional(),
  bearer_token_env_var: z.string().min(1).optional(),
  http_headers: headers.optional(),
  environment_id: z.string().min(1).optional(),
  scopes: z.array(z.string()).optional(),
  tool_timeout_sec: seconds.optional(),
});

const environmentEntry = z.looseObject({
  id: z.string().min(1),
  url: wsUrl,
  auth_bearer_token: z.string().min(1).optional(),
  auth_bearer_token_env_var: z.string().min(1).optional(),
});

const configFile = z.looseObject({
  model: z.string().min(1).optional(),
  model_provider: z.string().min(1).optional(),
  model_providers: z.record(z.string(), providerEntry).optional(),
  instructions: z.string().optional(),
  chatgpt_base_url: httpUrl.optional(),
  mcp_servers: z.record(z.string(), mcpEntry).optional(),
  environments: z.array(environmentEntry).optional(),
  affinity: z.looseObject({ hosts: z.array(z.string().min(1)).optional() }).optional(),
});

const builtInProvider: ModelProviderConfig = {
  id: "openai",
  name: "OpenAI",
  requiresAccount: true,
  headers: new Map(),
  maxRetries: 4,
  streamIdleTimeoutMs: 300_000,
};

function read(text: string): z.output<typeof configFile> {
  let table: unknown;
  try {
    table = parse(text);
  } catch (error) {
    // The parser's own text quotes the line, which may hold a key: only the place is kept.
    const { line, column } = error as { line?: number; column?: number };
    throw refused(`not TOML at line ${line ?? "?"}, column ${column ?? "?"}`);
  }
  const result = configFile.safeParse(table);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw refused(`${issue?.path.join(".") ?? "?"}: ${issue?.message ?? "invalid"}`);
}

function provider(id: string, entry: z.output<typeof providerEntry>): ModelProviderConfig {
  return {
    id,
    name: entry.name ?? id,
    baseUrl: new URL(entry.base_url),
    envKey: entry.env_key,
    requiresAccount: entry.requires_openai_auth ?? false,
    headers: new Map(Object.entries(entry.http_headers ?? {})),
    maxRetries: entry.request_max_retries ?? builtInProvider.maxRetries,
    streamIdleTimeoutMs: entry.stream_idle_timeout_ms ?? builtInProvider.streamIdleTimeoutMs,
  };
}

function mcpServer(name: string, entry: z.output<typeof mcpEntry>): McpServerConfig {
  return {
    name,
    url: entry.url === undefined ? undefined : new URL(entry.url),
    urlText: entry.url,
    enabled: entry.enabled ?? true,
    bearerEnvVariable: entry.bearer_token_env_var,
    headers: new Map(Object.entries(entry.http_headers ?? {})),
    environmentId: entry.environment_id,
    scopes: entry.scopes,
    toolTimeoutMs: (entry.tool_timeout_sec ?? 60) * 1000,
  };
}

function environment(entry: z.output<typeof environmentEntry>): EnvironmentConfig {
  return {
    id: entry.id,
    url: new URL(entry.url),
    bearer: entry.auth_bearer_token,
    bearerEnvVariable: entry.auth_bearer_token_env_var,
  };
}

function refused(text: string): AppServerError {
  return new AppServerError("ERR_APP_SERVER_CONFIG", `configuration: ${text}`);
}
