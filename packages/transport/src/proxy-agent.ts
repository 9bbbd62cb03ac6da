import { type Agent, type buildConnector, type Dispatcher, Pool, ProxyAgent } from "undici";
import { ProxyFault } from "./proxy-fault.ts";
import type { TlsContexts } from "./tls-contexts.ts";

export interface ProxyAgentOptions {
  readonly pool: Agent.Options;
  /** How servers are connected to, behind the proxy. */
  readonly connect: buildConnector.BuildOptions;
  readonly contexts: TlsContexts;
  /** Reaches http origins through CONNECT as well. */
  readonly tunnel: boolean;
}

/** An agent that reaches https origins through CONNECT and http origins by forwarding. */
export function proxyAgent(proxy: URL, options: ProxyAgentOptions): Dispatcher {
  const { pool, connect, tunnel } = options;
  const { forProxies } = options.contexts;
  return new ProxyAgent({
    ...pool,
    uri: proxy.href,
    proxyTunnel: tunnel,
    requestTls: connect,
    proxyTls: { allowH2: false, ...(forProxies === undefined ? {} : { secureContext: forProxies }) },
    // The proxy's answer to CONNECT is part of connecting.
    clientFactory: (origin, options) =>
      new Pool(origin, { ...markingFaults(options), headersTimeout: pool.connectTimeout ?? 0 }),
    // Called for tunnels with all pool options, and for forwarding with nothing but how to reach the proxy.
    factory: (origin, options) =>
      new URL(origin).host === proxy.host
        ? new Pool(origin, { ...pool, ...markingFaults(options) })
        : new Pool(origin, options),
  });
}

/** What goes wrong between here and the proxy must not be taken for the server's. */
function markingFaults(options: object): object {
  const { connect } = options as { connect: buildConnector.connector };
  const marked: buildConnector.connector = (target, callback) =>
    connect(target, (...result: Parameters<buildConnector.Callback>) => {
      if (result[0] !== null) callback(new ProxyFault(result[0]), null);
      else callback(null, result[1]);
    });
  return { ...options, connect: marked };
}
