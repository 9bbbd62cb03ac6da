import type { Readable, Writable } from "node:stream";
import { isClientIdentityError, parseClientInfo } from "@hawser/client-identity";
import { type MessageChannel, RpcError } from "@hawser/json-rpc";
import type { Logger } from "pino";
import { accountMethods } from "./account/account-methods.ts";
import { AccountNotices } from "./account/account-notices.ts";
import { loginMethods } from "./account/login-methods.ts";
import type { Composition } from "./compose.ts";
import type { AppConfig } from "./config/app-config.ts";
import { acceptConnection } from "./connections/accept-connection.ts";
import { ConnectionRegistry } from "./connections/connection-registry.ts";
import { createDialect } from "./connections/dialect.ts";
import { initializeMethod } from "./handshake/initialize-method.ts";
import type { ChannelListener } from "./listeners/channel-listener.ts";
import type { ListenAddress } from "./listeners/listen-address.ts";
import { listenStdio } from "./listeners/listen-stdio.ts";
import { listenWebSocket } from "./listeners/listen-web-socket.ts";
import type { WebSocketAuthorizer } from "./listeners/web-socket-auth.ts";
import { mcpLoginMethod } from "./mcp/mcp-login-method.ts";
import { mcpMethods } from "./mcp/mcp-methods.ts";
import { startServersFor } from "./mcp/mcp-startup.ts";
import { settingsMethods } from "./settings/settings-methods.ts";
import { threadMethods } from "./threads/thread-methods.ts";
import { ThreadRegistry } from "./threads/thread-registry.ts";
import { turnMethods } from "./threads/turn-methods.ts";

export interface RunAppServerOptions {
  readonly composition: Composition;
  readonly config: AppConfig;
  readonly address: ListenAddress;
  readonly authorize?: WebSocketAuthorizer | undefined;
  readonly stdio: { readonly input: Readable; readonly output: Writable };
  readonly home: string;
  readonly cwd: string;
  readonly productVersion: string;
  readonly log: Logger;
}

export interface RunningAppServer {
  readonly banner: readonly string[];
  /** Resolves when no client can come any more of itself: with the reason, where it was not the client's own choice. */
  readonly ended: Promise<string | undefined>;
  /** Lets nobody in, stops turns, lets logins finish what they have begun, and says goodbye. */
  stop(): Promise<void>;
}

const HANDSHAKE_TIMEOUT_MS = 30_000;

/** Opens the way in and answers whoever comes. Throws `ERR_APP_SERVER_LISTEN`. */
export async function runAppServer(options: RunAppServerOptions): Promise<RunningAppServer> {
  const { composition, log } = options;
  const connections = new ConnectionRegistry();
  const threads = new ThreadRegistry();
  connections.onLeave((connection) => threads.forget(connection));
  const shutdown = new AbortController();
  const turns = new Set<Promise<void>>();
  const onFault = (what: string, error: unknown): void =>
    log.error({ what, fault: describe(error) }, "internal error");
  const methods = allMethods(options, { connections, threads, turns, shutdown: shutdown.signal, onFault });
  const dialect = createDialect(onFault);
  // Whoever started this program on its own pipes may take its time; a stranger on a socket may not.
  const handshakeTimeoutMs = options.address.kind === "stdio" ? undefined : HANDSHAKE_TIMEOUT_MS;
  const onChannel = (channel: MessageChannel): Promise<void> =>
    acceptConnection({ channel, methods, connections, dialect, handshakeTimeoutMs });
  const listener = await listen(options, onChannel);

  return {
    banner: listener.banner,
    ended: listener.ended,
    async stop() {
      await listener[Symbol.asyncDispose]();
      shutdown.abort();
      for (const thread of threads.list()) thread.activeTurn?.interrupt();
      await Promise.all(turns);
      // A refresh token that is being spent is spent to the end, so that the next start finds what came of it.
      await composition.settle();
      await connections.closeAll(1001, "server is shutting down");
      // Until then anybody could still have asked for one.
      await composition.settle();
      await composition[Symbol.asyncDispose]();
    },
  };
}

interface Shared {
  readonly connections: ConnectionRegistry;
  readonly threads: ThreadRegistry;
  readonly turns: Set<Promise<void>>;
  readonly shutdown: AbortSignal;
  readonly onFault: (what: string, error: unknown) => void;
}

function allMethods(options: RunAppServerOptions, shared: Shared) {
  const { composition, config, home, cwd, productVersion } = options;
  const { connections, threads, turns, shutdown, onFault } = shared;
  const { scope, account, model, mcp, mcpAccess } = composition;
  const notices = new AccountNotices({ connections, account, onFault });
  const requiresAccount = config.provider.requiresAccount;
  const readIdentity = (clientInfo: unknown) => {
    try {
      return parseClientInfo(clientInfo, { process: scope.process });
    } catch (error) {
      throw isClientIdentityError(error) ? new RpcError(-32600, error.message) : error;
    }
  };
  return [
    initializeMethod({ readIdentity, home, platform: process.platform }),
    ...settingsMethods(config),
    ...accountMethods({ account, notices, scope, requiresAccount }),
    ...loginMethods({ account, notices, scope }),
    ...threadMethods({
      ...{ threads, connections, config, cwd, productVersion },
      onStarted: (thread) => startServersFor(thread, mcp),
    }),
    ...turnMethods({
      ...{ threads, connections, scope, model },
      tools: mcp,
      onRunning: (work) => {
        const tracked = work.finally(() => turns.delete(tracked));
        turns.add(tracked);
      },
    }),
    ...mcpMethods({ servers: mcp, access: mcpAccess, threads, scope }),
    mcpLoginMethod({ servers: mcp, access: mcpAccess, threads, connections, scope, shutdown }),
  ];
}

function listen(
  { address, authorize, stdio }: RunAppServerOptions,
  onChannel: (channel: MessageChannel) => Promise<void>,
): ChannelListener | Promise<ChannelListener> {
  if (address.kind === "stdio") return listenStdio({ ...stdio, onChannel });
  return listenWebSocket({ address, authorize, onChannel });
}

/** A fault for the log: its kind and place. Messages may quote what a stranger sent. */
function describe(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { kind: typeof error };
  const code = "code" in error ? error.code : undefined;
  const frames = error.stack
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 6);
  return { kind: error.name, code, frames };
}
