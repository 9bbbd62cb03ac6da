import { CHATGPT_HOSTS, createAffinityJar, withAffinityCookies } from "@hawser/cf-affinity-jar";
import type { MessageChannel } from "@hawser/json-rpc";
import { createDispatcher, createUndiciTransport, withRedirects } from "@hawser/transport";
import type { Logger } from "pino";
import type { ExecServerConfig } from "./cli/read-config.ts";
import { serveConnection } from "./connection/serve-connection.ts";
import { Sessions } from "./connection/session.ts";
import { environmentInfo } from "./environment/environment-info.ts";

export interface ComposeOptions {
  readonly config: ExecServerConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
  readonly version: string;
  readonly maxConcurrentRequests: number;
  readonly logger: Logger;
}

/** The server without its listeners. */
export interface ExecServer {
  /** Serves one connection until it is gone. Without a time limit its handshake may come at leisure. */
  serve(
    channel: MessageChannel,
    options?: { readonly handshakeTimeoutMs?: number | undefined },
  ): Promise<void>;
  /** Kills every process, ends every session, closes the pool. */
  close(): Promise<void>;
}

/** Variables that name files or directories of trusted certificates. */
const CA_VARIABLES = ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"];

/** Puts the server together. The nesting below is the order of the policies. */
export function composeExecServer(options: ComposeOptions): ExecServer {
  const { config, env, cwd, platform, version, maxConcurrentRequests, logger } = options;
  const { exact, suffixes } = CHATGPT_HOSTS;
  const dispatcher = createDispatcher({ env, caVariables: CA_VARIABLES });
  const wire = createUndiciTransport({ dispatcher });

  // This process originates the request, so it owns the jar: one for all connections, in memory.
  const jar = createAffinityJar({ hosts: { exact: [...exact, ...config.affinityHosts], suffixes } });

  // No retry, no identity, no bearer: those belong to whoever asks, and arrive as headers.
  const single = withAffinityCookies(jar)(wire); //  each hop carries its own host's affinity
  const following = (sensitiveHeaders: readonly string[]) =>
    withRedirects({ mode: "follow", sensitiveHeaders })(single); // each hop below is a whole request

  const sessions = new Sessions();
  const environment = environmentInfo({ env, cwd, version, platform });
  const http = { single, following, env };

  return {
    serve: (channel, { handshakeTimeoutMs } = {}) =>
      serveConnection({
        ...{ channel, sessions, environment, http, env, maxConcurrentRequests, logger },
        handshakeTimeoutMs,
      }),
    async close() {
      sessions.close();
      await dispatcher.destroy();
    },
  };
}
