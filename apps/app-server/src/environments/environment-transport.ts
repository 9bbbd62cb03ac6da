import {
  connectExecServer,
  createRemoteTransport,
  type ExecServerConnection,
} from "@hawser/exec-server/client";
import type { createDispatcher, HeaderList, HttpTransport } from "@hawser/transport";

export interface EnvironmentTransportOptions {
  readonly url: URL;
  readonly bearer?: string | undefined;
  readonly clientName: string;
  /** Who opens the connection, for its handshake. It serves everybody, so it is nobody's in particular. */
  readonly identity: HeaderList;
  /** Proxy and trust of the connection; stays the caller's. */
  readonly dispatcher: ReturnType<typeof createDispatcher>;
}

/**
 * Sends requests from an exec-server instead of from here. One connection serves everybody; it is opened with the
 * first request and again after it has gone. A request whose connection goes is not sent again.
 */
export function createEnvironmentTransport(
  options: EnvironmentTransportOptions,
): HttpTransport & AsyncDisposable {
  const { url, bearer, clientName, identity, dispatcher } = options;
  let current: Promise<Environment> | undefined;
  const ended = new AbortController();

  const open = async (): Promise<Environment> => {
    const connection = await connectExecServer({
      ...{ url: url.href, bearer, clientName, headers: identity, dispatcher },
      signal: ended.signal,
    });
    return { connection, transport: createRemoteTransport(connection) };
  };
  const connected = (): Promise<Environment> => {
    if (current !== undefined) return current;
    const opening = open();
    current = opening;
    const forget = (): void => {
      if (current === opening) current = undefined;
    };
    // A failed connection is reported to whoever waits for it; the next request tries again.
    opening.then(({ connection }) => connection.closed.then(forget), forget);
    return opening;
  };

  return {
    async send(request) {
      request.signal?.throwIfAborted();
      const { transport } = await waitFor(connected(), request.signal);
      return transport.send(request);
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      const last = await current?.catch(() => undefined);
      await last?.connection.close();
    },
  };
}

interface Environment {
  readonly connection: ExecServerConnection;
  readonly transport: HttpTransport;
}

/** Waits for a connection that everybody shares. Giving up the wait leaves it to the others. */
async function waitFor<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  signal.throwIfAborted();
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, gaveUp]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
