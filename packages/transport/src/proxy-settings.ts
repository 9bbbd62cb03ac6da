import { TransportError } from "./errors.ts";
import { isLoopback, noProxyMatcher } from "./no-proxy.ts";

/** Environment variables by name. */
export type Env = Readonly<Record<string, string | undefined>>;

export interface ProxySettings {
  /** The proxy for an origin, or undefined where none is to be used. */
  readonly proxyFor: (origin: URL) => URL | undefined;
}

/**
 * Reads HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; capitals win over small letters, an empty value is none,
 * and `host:port` means an http proxy. Undefined when no proxy is named.
 */
export function proxySettings(
  env: Env,
  options: { readonly proxyLoopback: boolean },
): ProxySettings | undefined {
  const all = proxyUrl(env, "ALL_PROXY");
  const byProtocol = new Map<string, URL | undefined>([
    ["https:", proxyUrl(env, "HTTPS_PROXY") ?? all],
    ["http:", proxyUrl(env, "HTTP_PROXY") ?? all],
  ]);
  if ([...byProtocol.values()].every((proxy) => proxy === undefined)) return undefined;

  const exempt = noProxyMatcher(variable(env, "NO_PROXY")?.value ?? "");
  return {
    proxyFor: (origin) => {
      if (!options.proxyLoopback && isLoopback(origin.hostname)) return undefined;
      return exempt(origin) ? undefined : byProtocol.get(origin.protocol);
    },
  };
}

function variable(env: Env, name: string): { name: string; value: string } | undefined {
  for (const spelling of [name, name.toLowerCase()]) {
    const value = env[spelling]?.trim();
    if (value !== undefined && value !== "") return { name: spelling, value };
  }
  return undefined;
}

/** Errors name the variable and never its value: a proxy URL often holds a password. */
function proxyUrl(env: Env, variableName: string): URL | undefined {
  const found = variable(env, variableName);
  if (found === undefined) return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(found.value) ? found.value : `http://${found.value}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy === undefined || proxy.hostname === "") {
    throw new TransportError("ERR_TRANSPORT_BAD_PROXY", `${found.name} is not a proxy URL`);
  }
  if (proxy.protocol.startsWith("socks4")) {
    throw new TransportError("ERR_TRANSPORT_NOT_SUPPORTED", `${found.name} names a SOCKS proxy of version 4`);
  }
  if (!PROTOCOLS.has(proxy.protocol)) {
    throw new TransportError(
      "ERR_TRANSPORT_BAD_PROXY",
      `${found.name} is neither an http, an https nor a socks5 URL`,
    );
  }
  if (![proxy.username, proxy.password].every(isLogin)) {
    throw new TransportError(
      "ERR_TRANSPORT_BAD_PROXY",
      `${found.name} holds credentials that cannot be sent`,
    );
  }
  proxy.pathname = "/";
  proxy.search = "";
  proxy.hash = "";
  return proxy;
}

const PROTOCOLS: ReadonlySet<string> = new Set(["http:", "https:", "socks5:", "socks5h:", "socks:"]);

/** Percent-encoded UTF-8, of what both kinds of proxies can be told (RFC 1929: 255 bytes). */
function isLogin(part: string): boolean {
  try {
    return Buffer.byteLength(decodeURIComponent(part)) <= 255;
  } catch {
    return false;
  }
}
