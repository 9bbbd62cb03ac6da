import { createRpcPeer, type MessageChannel, type RpcDialect, RpcError } from "@hawser/json-rpc";
import type { AppMethod } from "./app-method.ts";
import { ClientConnection, type ClientConnectionOptions } from "./client-connection.ts";
import type { ConnectionRegistry } from "./connection-registry.ts";

export interface AcceptConnectionOptions extends ClientConnectionOptions {
  readonly channel: MessageChannel;
  readonly methods: readonly AppMethod[];
  readonly connections: ConnectionRegistry;
  readonly dialect: RpcDialect;
  /** A client that has not initialised by then is disconnected with 1008. @defaultValue none */
  readonly handshakeTimeoutMs?: number | undefined;
}

/** Serves one client until it leaves. Resolves when it is gone and every answer of its has been dealt with. */
export async function acceptConnection(options: AcceptConnectionOptions): Promise<void> {
  const { channel, methods, connections, dialect, handshakeTimeoutMs } = options;
  const connection = new ClientConnection(channel, options);
  const peer = createRpcPeer({
    channel,
    dialect,
    methods: new Map(methods.map((method) => [method.name, method.bind(connection)])),
    admit: (method) => admit(connection, method),
  });
  connection.attach(peer);
  const turnAway = (): void => {
    if (connection.introduction !== undefined) return;
    void connection.close(1008, "ERR_APP_SERVER_HANDSHAKE_TIMEOUT: no initialize in time");
  };
  connections.add(connection);
  const late = handshakeTimeoutMs === undefined ? undefined : setTimeout(turnAway, handshakeTimeoutMs);
  try {
    await channel.closed;
  } finally {
    clearTimeout(late);
    connections.remove(connection);
  }
  await peer.closed;
}

function admit(connection: ClientConnection, method: string): void {
  const initialised = connection.introduction !== undefined;
  if (method === "initialize") {
    if (initialised) throw new RpcError(-32600, "Already initialized");
  } else if (!initialised) {
    throw new RpcError(-32600, "Not initialized");
  }
}
