import type { SecureContext } from "node:tls";
import { Agent, type Dispatcher } from "undici";
import { type CaOptions, trustedContext } from "./ca-bundle.ts";
import { freshConnections } from "./fresh-connections.ts";
import { proxyAgent } from "./proxy-agent.ts";
import { type Env, proxySettings } from "./proxy-settings.ts";
import { RoutingDispatcher } from "./routing-dispatcher.ts";

export interface DispatcherOptions extends CaOptions {
  /**
   * Where proxy settings and CA variables are looked up: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in capitals
   * first. SOCKS proxies are answered with `ERR_TRANSPORT_NOT_SUPPORTED`.
   *
   * @defaultValue empty: no proxy, no variable
   */
  readonly env?: Env | undefined;
  /** Sends requests for loopback hosts to the proxy as well. @defaultValue false */
  readonly proxyLoopback?: boolean | undefined;
  /**
   * Connections to one origin at a time, or `fresh`: each request has its own, closed after it, so that a stale
   * connection can never swallow a request that must not be sent twice.
   *
   * @defaultValue no bound, reused while idle
   */
  readonly connections?: number | "fresh" | undefined;
  /** Name lookup, TCP, proxy and TLS; 0 means no bound. @defaultValue 10_000 */
  readonly connectTimeoutMs?: number | undefined;
  /** How long an idle connection is kept when the server does not say. @defaultValue 4_000 */
  readonly keepAliveTimeoutMs?: number | undefined;
}

/**
 * The one place that decides proxy, trust and pooling. Speaks HTTP/1.1. Throws at once when a proxy setting
 * (`ERR_TRANSPORT_BAD_PROXY`) or a CA bundle (`ERR_TRANSPORT_BAD_CA`) cannot be used. Whoever makes a dispatcher
 * closes it.
 */
export function createDispatcher(options: DispatcherOptions = {}): Dispatcher {
  const { env = {}, proxyLoopback = false, connections } = options;
  const secureContext = trustedContext(options, env);
  const pool = poolOptions(options, secureContext);
  const settings = proxySettings(env, { proxyLoopback });
  const routed =
    settings === undefined
      ? new Agent(pool)
      : new RoutingDispatcher({
          direct: new Agent(pool),
          proxyFor: settings.proxyFor,
          openProxy: (proxy) => proxyAgent(proxy, pool, secureContext),
        });
  return connections === "fresh" ? routed.compose(freshConnections) : routed;
}

function poolOptions(options: DispatcherOptions, secureContext: SecureContext | undefined): Agent.Options {
  const { connections, connectTimeoutMs = 10_000, keepAliveTimeoutMs } = options;
  return {
    allowH2: false,
    // The connector takes its own timeout; connectTimeout is what the proxy agent reads.
    connectTimeout: connectTimeoutMs,
    connect: { timeout: connectTimeoutMs, ...(secureContext === undefined ? {} : { secureContext }) },
    ...(typeof connections === "number" ? { connections } : {}),
    ...(keepAliveTimeoutMs === undefined ? {} : { keepAliveTimeout: keepAliveTimeoutMs }),
  };
}
