import type { LookupFunction } from "node:net";
import { Agent, buildConnector, type Dispatcher, Pool } from "undici";
import { type EgressPolicy, egressGate } from "./egress-policy.ts";
import { TransportError } from "./errors.ts";
import { freshConnections } from "./fresh-connections.ts";
import { guardedConnector } from "./guarded-connector.ts";
import { proxiedEgress } from "./proxied-egress.ts";
import { proxyAgent } from "./proxy-agent.ts";
import { type Env, proxySettings } from "./proxy-settings.ts";
import { RoutingDispatcher } from "./routing-dispatcher.ts";
import { socksConnector } from "./socks-connector.ts";
import { type TlsContexts, type TlsOptions, tlsContexts } from "./tls-contexts.ts";

export interface DispatcherOptions extends TlsOptions {
  /**
   * Where proxy settings and CA variables are looked up: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in capitals
   * first. Proxies are `http://`, `https://` or `socks5://`; the last resolves names by itself.
   *
   * @defaultValue empty: no proxy, no variable
   */
  readonly env?: Env | undefined;
  /** Sends requests for loopback hosts to the proxy as well. @defaultValue false */
  readonly proxyLoopback?: boolean | undefined;
  /** Which addresses may be connected to. @defaultValue any */
  readonly egress?: EgressPolicy | undefined;
  /** Resolves the names of servers that are reached directly. @defaultValue `dns.lookup` */
  readonly lookup?: LookupFunction | undefined;
  /**
   * Connections to one origin at a time, or `fresh`: each request has its own, closed after it, so that a stale
   * connection can never swallow a request that must not be sent twice.
   *
   * @defaultValue no bound, reused while idle
   */
  readonly connections?: number | "fresh" | undefined;
  /** Offers HTTP/2 to https servers; not together with fresh connections. @defaultValue false */
  readonly http2?: boolean | undefined;
  /** Name lookup, TCP, proxy and TLS; 0 means no bound. @defaultValue 10_000 */
  readonly connectTimeoutMs?: number | undefined;
  /** How long an idle connection is kept when the server does not say. @defaultValue 4_000 */
  readonly keepAliveTimeoutMs?: number | undefined;
}

/**
 * The one place that decides proxy, trust, egress and pooling. Throws at once when a proxy setting
 * (`ERR_TRANSPORT_BAD_PROXY`), a CA bundle (`ERR_TRANSPORT_BAD_CA`), the client certificate
 * (`ERR_TRANSPORT_BAD_CERTIFICATE`) or an egress exception (`ERR_TRANSPORT_BAD_EGRESS`) cannot be used. Whoever makes
 * a dispatcher closes it.
 */
export function createDispatcher(options: DispatcherOptions = {}): Dispatcher {
  const { env = {}, proxyLoopback = false, connections, http2 = false, egress } = options;
  if (http2 && connections === "fresh") {
    throw new TransportError("ERR_TRANSPORT_NOT_SUPPORTED", "HTTP/2 shares connections: none can be fresh");
  }
  const contexts = tlsContexts(options, env);
  const gate = egress === undefined ? undefined : egressGate(egress);
  const pool = poolOptions(options);
  const connect = connectOptions(options, contexts);
  const direct = new Agent({
    ...pool,
    connect,
    ...(gate === undefined
      ? {}
      : {
          factory: (origin, { connect: _unguarded, ...rest }: Agent.Options) =>
            new Pool(origin, { ...rest, connect: guardedConnector(new URL(origin), connect, gate) }),
        }),
  });
  const settings = proxySettings(env, { proxyLoopback });
  const routed =
    settings === undefined
      ? direct
      : new RoutingDispatcher({
          direct,
          proxyFor: settings.proxyFor,
          openProxy: (proxy, tunnel) => {
            const opened = proxy.protocol.startsWith("socks")
              ? socksAgent(proxy, options, contexts)
              : proxyAgent(proxy, { pool, connect, contexts, tunnel });
            return gate === undefined ? opened : opened.compose(proxiedEgress(gate));
          },
        });
  return connections === "fresh" ? routed.compose(freshConnections) : routed;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

function poolOptions(options: DispatcherOptions): Agent.Options {
  const { connections, http2 = false, keepAliveTimeoutMs } = options;
  const { connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
  return {
    allowH2: http2,
    // The connector takes its own timeout; connectTimeout is what the proxy agent reads.
    connectTimeout: connectTimeoutMs,
    ...(typeof connections === "number" ? { connections } : {}),
    ...(keepAliveTimeoutMs === undefined ? {} : { keepAliveTimeout: keepAliveTimeoutMs }),
  };
}

/** How servers are connected to. */
function connectOptions(
  options: DispatcherOptions,
  { forServers }: TlsContexts,
): buildConnector.BuildOptions {
  const { connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, http2 = false, lookup } = options;
  return {
    allowH2: http2,
    preferH2: http2,
    timeout: connectTimeoutMs,
    ...(forServers === undefined ? {} : { secureContext: forServers }),
    ...(lookup === undefined ? {} : { lookup }),
  } as buildConnector.BuildOptions;
}

function socksAgent(proxy: URL, options: DispatcherOptions, contexts: TlsContexts): Dispatcher {
  const { connectTimeoutMs: timeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
  return new Agent({
    ...poolOptions(options),
    connect: socksConnector({
      proxy,
      toProxy: buildConnector({ timeout: timeoutMs, allowH2: false }),
      overTunnel: buildConnector(connectOptions(options, contexts)),
      timeoutMs,
    }),
  });
}
