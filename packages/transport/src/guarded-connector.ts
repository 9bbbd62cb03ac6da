import { lookup as systemLookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { bareHost, EgressDenied, type EgressGate, effectivePort } from "./egress-policy.ts";

/**
 * Opens connections to one origin, and only to addresses that `gate` allows. The address that is judged is the one
 * that is connected to: there is no second lookup between the two.
 */
export function guardedConnector(
  origin: URL,
  options: buildConnector.BuildOptions,
  gate: EgressGate,
): buildConnector.connector {
  const host = bareHost(origin.hostname);
  const port = effectivePort(origin);
  const allowed = (address: string) => gate(host, port, address);
  const lookup = (options as { lookup?: LookupFunction }).lookup ?? (systemLookup as LookupFunction);
  const connect = buildConnector({
    ...options,
    lookup: filtered(lookup, allowed),
  } as buildConnector.BuildOptions);
  return (target, callback) => {
    // Nobody looks an address up.
    if (isIP(host) !== 0 && !allowed(host)) callback(new EgressDenied(host), null);
    else connect(target, callback);
  };
}

function filtered(lookup: LookupFunction, allowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      if (error !== null && error !== undefined) {
        callback(error, address, family);
        return;
      }
      if (typeof address === "string") {
        if (allowed(address)) callback(null, address, family);
        else callback(new EgressDenied(address), "", 0);
        return;
      }
      const kept = address.filter((one) => allowed(one.address));
      if (kept.length > 0) callback(null, kept);
      else callback(new EgressDenied(address[0]?.address ?? hostname), []);
    });
  };
}
