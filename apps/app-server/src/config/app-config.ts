/** What the server acts on; everything optional has been given its default. */
export interface AppConfig {
  readonly model: string;
  /** System text sent with each model request. */
  readonly instructions: string;
  readonly provider: ModelProviderConfig;
  /** Where an account's own services live, the model among them. */
  readonly accountServiceUrl: URL;
  readonly mcpServers: ReadonlyMap<string, McpServerConfig>;
  readonly environments: ReadonlyMap<string, EnvironmentConfig>;
  /** Exact host names that get Cloudflare affinity beside the built-in ones. */
  readonly affinityHosts: readonly string[];
}

export interface ModelProviderConfig {
  readonly id: string;
  readonly name: string;
  /** Absent for the built-in provider: the login decides where it is. */
  readonly baseUrl?: URL | undefined;
  /** Name of the environment variable that holds the key. */
  readonly envKey?: string | undefined;
  /** Requests carry the account's login. */
  readonly requiresAccount: boolean;
  readonly headers: ReadonlyMap<string, string>;
  readonly maxRetries: number;
  readonly streamIdleTimeoutMs: number;
}

export interface McpServerConfig {
  readonly name: string;
  /** Absent for a server of a kind that is not supported here. */
  readonly url?: URL | undefined;
  /** The same as it was written, which is what its login is filed under. */
  readonly urlText?: string | undefined;
  readonly enabled: boolean;
  readonly bearerEnvVariable?: string | undefined;
  readonly headers: ReadonlyMap<string, string>;
  readonly environmentId?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly toolTimeoutMs: number;
}

export interface EnvironmentConfig {
  readonly id: string;
  readonly url: URL;
  readonly bearer?: string | undefined;
  readonly bearerEnvVariable?: string | undefined;
}
