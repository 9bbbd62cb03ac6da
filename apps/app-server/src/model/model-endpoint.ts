import type { AuthManager } from "@hawser/auth-manager";
import type { HeaderList } from "@hawser/transport";
import type { AppConfig } from "../config/app-config.ts";
import { ModelError } from "./turn-error.ts";

export interface ModelEndpointOptions {
  readonly config: AppConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly account: AuthManager;
}

export interface ModelEndpoint {
  readonly baseUrl: () => Promise<URL>;
  readonly headers: HeaderList;
  readonly idleTimeoutMs: number;
}

/** Where the configured provider is served, and with which fixed header fields. */
export function modelEndpoint({ config, env, account }: ModelEndpointOptions): ModelEndpoint {
  const { provider, accountServiceUrl } = config;
  const key = provider.envKey === undefined ? undefined : env[provider.envKey];
  const bearer =
    key === undefined || provider.requiresAccount ? [] : [["authorization", `Bearer ${key}`] as const];
  return {
    idleTimeoutMs: provider.streamIdleTimeoutMs,
    headers: [...provider.headers, ...bearer],
    async baseUrl() {
      if (provider.envKey !== undefined && !provider.requiresAccount && !key) {
        throw new ModelError({
          message: `the environment variable ${provider.envKey} is not set`,
          codexErrorInfo: "unauthorized",
          additionalDetails: null,
        });
      }
      if (provider.baseUrl !== undefined) return provider.baseUrl;
      const { method } = await account.status();
      if (method === "apikey") return new URL("https://api.openai.com/v1");
      return new URL(`${accountServiceUrl.href.replace(/\/$/, "")}/codex`);
    },
  };
}
