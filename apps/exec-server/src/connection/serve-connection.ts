import {
  createRpcPeer,
  type MessageChannel,
  RpcError,
  type RpcMethod,
  type RpcPeer,
  rpcMethod,
} from "@hawser/json-rpc";
import type { Logger } from "pino";
import { z } from "zod";
import type { EnvironmentInfo } from "../environment/environment-info.ts";
import { type HttpOptions, httpMethods } from "../http/http-methods.ts";
import { processMethods } from "../process/process-methods.ts";
import { execDialect } from "./exec-dialect.ts";
import type { Session, Sessions } from "./session.ts";

export interface ConnectionOptions {
  readonly channel: MessageChannel;
  readonly sessions: Sessions;
  readonly environment: EnvironmentInfo;
  readonly http: HttpOptions;
  /** This server's own environment, which children may inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly maxConcurrentRequests: number;
  readonly logger: Logger;
  /** A client whose handshake is not complete by then is disconnected with 1008. @defaultValue none */
  readonly handshakeTimeoutMs?: number | undefined;
}

const FAMILIES: ReadonlyMap<string, string> = new Map([
  ["environment/info", "environment info"],
  ["environment/status", "environment status"],
  ["http/request", "http"],
]);

/** Serves one connection until it is gone and every handler has returned. Never rejects. */
export async function serveConnection(options: ConnectionOptions): Promise<void> {
  const { channel, sessions, environment, http, env, maxConcurrentRequests, logger, handshakeTimeoutMs } =
    options;
  let session: Session | undefined;
  let isInitialized = false;

  const attached = (): Session => {
    // `admit` lets nothing through before the handshake; this is for the type.
    if (session === undefined) throw new RpcError(-32600, "client must call initialize first");
    return session;
  };
  const admit = (method: string): void => {
    if (method === "initialize" || isInitialized) return;
    const family = FAMILIES.get(method) ?? "exec";
    throw new RpcError(
      -32600,
      session === undefined
        ? `client must call initialize before using ${family} methods`
        : `client must send initialized before using ${family} methods`,
    );
  };

  const initialize = rpcMethod({
    params: z.object({ clientName: z.string(), resumeSessionId: z.string().max(1_024).nullish() }),
    serial: true,
    handle: ({ resumeSessionId }, { peer: client, afterReply }) => {
      if (session !== undefined)
        throw new RpcError(-32600, "initialize may only be sent once per connection");
      const mine = sessions.attach(client, resumeSessionId ?? undefined);
      session = mine;
      afterReply(() => mine.listen(client));
      return { sessionId: mine.id, environmentInfo: environment };
    },
  });
  const initialized = rpcMethod({
    params: z.unknown(),
    paramsOptional: true,
    handle: () => {
      if (session === undefined) throw new RpcError(-32600, "initialized before initialize");
      isInitialized = true;
    },
  });
  const anyParams = { params: z.looseObject({}), paramsOptional: true };
  const overHttp = httpMethods(http);

  const peer: RpcPeer = createRpcPeer({
    channel,
    methods: new Map<string, RpcMethod>([
      ["initialize", initialize],
      ["environment/info", rpcMethod({ ...anyParams, handle: () => environment })],
      ["environment/status", rpcMethod({ ...anyParams, handle: () => ({ status: "ready" }) })],
      ...processMethods({ session: attached, env }),
      ...overHttp.methods,
    ]),
    notifications: new Map<string, RpcMethod>([["initialized", initialized], ...overHttp.notifications]),
    admit,
    dialect: execDialect(logger),
    maxConcurrentRequests,
  });
  const turnAway = (): void => {
    if (!isInitialized) void peer.close(1008, "ERR_EXEC_SERVER_HANDSHAKE_TIMEOUT: no handshake in time");
  };
  const late = handshakeTimeoutMs === undefined ? undefined : setTimeout(turnAway, handshakeTimeoutMs);
  peer.signal.addEventListener("abort", () => {
    clearTimeout(late);
    if (session !== undefined) sessions.detach(session, peer);
  });
  await peer.closed;
}
