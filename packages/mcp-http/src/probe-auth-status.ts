import type { CredentialStatus } from "@hawser/oauth-store";
import type { HeaderList, HttpTransport } from "@hawser/transport";
import { discoverAuthorization } from "./discover-authorization.ts";

export type McpAuthStatus = "unknown" | "unsupported" | "notLoggedIn" | "bearerToken" | "oAuth";

export interface ProbeAuthStatusOptions {
  readonly serverUrl: string | URL;
  readonly transport: HttpTransport;
  /** Where a login would be kept. */
  readonly session?: { status(): Promise<CredentialStatus<unknown>> } | undefined;
  /** What is configured for the server; an `authorization` among them is the login. */
  readonly headers?: HeaderList | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Says how things stand with the login at an MCP server, without changing anything: a configured bearer, a login that
 * can be used, a login that is missing or has ended, a server that offers none. `unknown` when it cannot be told: the
 * server does not answer, or what is stored cannot be read. Never throws; takes no lock and spends nothing.
 */
export async function probeAuthStatus(options: ProbeAuthStatusOptions): Promise<McpAuthStatus> {
  const { transport, session, headers = [], signal } = options;
  if (headers.some(([name]) => name.toLowerCase() === "authorization")) return "bearerToken";
  try {
    const stored = await session?.status();
    if (stored?.state === "usable") return "oAuth";
    if (stored?.state === "unusable") return "notLoggedIn";
    if (stored?.state === "corrupt") return "unknown";
    const facts = await discoverAuthorization({ serverUrl: new URL(options.serverUrl), transport, signal });
    return facts === undefined ? "unsupported" : "notLoggedIn";
  } catch {
    // Whatever went wrong, nothing can be said about the login.
    return "unknown";
  }
}
