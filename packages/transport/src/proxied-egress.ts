import { isIP } from "node:net";
import type { Dispatcher } from "undici";
import { bareHost, EgressDenied, type EgressGate, effectivePort } from "./egress-policy.ts";
import { isLoopback } from "./no-proxy.ts";

/** What can be known before a proxy resolves the name: an address in the URL, and the names of this machine. */
export function proxiedEgress(gate: EgressGate): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    const origin = new URL(options.origin ?? "");
    const host = bareHost(origin.hostname);
    const address = isIP(host) !== 0 ? host : isLoopback(origin.hostname) ? "127.0.0.1" : undefined;
    if (address === undefined || gate(host, effectivePort(origin), address))
      return dispatch(options, handler);
    // As undici itself reports what never reached a connection.
    handler.onResponseError?.(null as unknown as Dispatcher.DispatchController, new EgressDenied(address));
    return true;
  };
}
