import { BlockList, isIP } from "node:net";
import { isMetadataAddress, isPublicAddress, meantAddress } from "./address-reach.ts";
import { TransportError } from "./errors.ts";

/**
 * Which addresses a dispatcher connects to. It is applied to the address that a name resolved to, for every
 * connection and therefore on every redirect hop, so that a name whose answer changes cannot pass. Behind a proxy the
 * proxy resolves names: there only addresses in URLs, and names for this machine, are judged.
 */
export interface EgressPolicy {
  /**
   * `public`: only the public internet; no private, loopback, link-local, CGNAT, documentation, benchmark, multicast
   * or reserved address, nor one that leads there (mapped, NAT64, 6to4). `no-metadata`: everything but link-local
   * addresses and the metadata services of clouds.
   */
  readonly reach: "public" | "no-metadata";
  /**
   * What may be reached all the same, such as the configured server: an origin (`https://10.1.2.3`), a host with or
   * without port (`localhost:8080`), an address, or a network (`10.1.0.0/16`). Names are exact. A name may resolve to
   * any address but a metadata service's; that takes the address itself.
   *
   * @defaultValue none
   */
  readonly except?: readonly string[] | undefined;
}

/** Whether a connection for `host` may be made to `address`. Hosts are as `URL` writes them, without brackets. */
export type EgressGate = (host: string, port: number, address: string) => boolean;

/** Reads a policy once. Throws `ERR_TRANSPORT_BAD_EGRESS` for an exception that cannot be read. */
export function egressGate({ reach, except = [] }: EgressPolicy): EgressGate {
  const reachable = reach === "public" ? isPublicAddress : (address: string) => !isMetadataAddress(address);
  const exceptions = except.map(exception);
  return (host, port, address) => {
    if (isIP(address) === 0) return false;
    return reachable(address) || exceptions.some((allows) => allows(host, port, address));
  };
}

/** Why a connection was not made. */
export class EgressDenied extends Error {
  override readonly name = "EgressDenied";
  readonly code = "ERR_EGRESS_DENIED";

  constructor(address: string) {
    super(`the egress policy does not allow ${address}`);
  }
}

function exception(entry: string): EgressGate {
  const network = /^([^/]+)\/(\d{1,3})$/.exec(entry);
  if (network !== null) return inNetwork(network[1] ?? "", Number(network[2]), entry);
  const { host, port: wantedPort } = hostAndPort(entry);
  const meant = isIP(host) === 0 ? undefined : meantAddress(host);
  return (connectedHost, port, address) => {
    if (wantedPort !== undefined && wantedPort !== port) return false;
    if (meant !== undefined) return meantAddress(address) === meant;
    return connectedHost === host && !isMetadataAddress(address);
  };
}

function inNetwork(address: string, bits: number, entry: string): EgressGate {
  const family = isIP(address);
  if (family === 0 || bits > (family === 4 ? 32 : 128)) throw unreadable(entry);
  const list = new BlockList();
  list.addSubnet(address, bits, family === 4 ? "ipv4" : "ipv6");
  return (_host, _port, target) => {
    const meant = meantAddress(target);
    return list.check(meant, isIP(meant) === 4 ? "ipv4" : "ipv6");
  };
}

function hostAndPort(entry: string): { host: string; port: number | undefined } {
  const isOrigin = entry.includes("://");
  const text = isOrigin ? entry : `any://${isIP(entry) === 6 ? `[${entry}]` : entry}`;
  if (!URL.canParse(text)) throw unreadable(entry);
  const { protocol, hostname, port, pathname, username } = new URL(text);
  if (hostname === "" || username !== "" || (pathname !== "" && pathname !== "/")) throw unreadable(entry);
  // Only the web's own schemes have their hosts written in the one way.
  const canonical = new URL(`http://${hostname}`).hostname;
  return { host: bareHost(canonical), port: port === "" ? DEFAULT_PORTS[protocol] : Number(port) };
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** A host as `URL` writes it, without the brackets of an IPv6 address. */
export function bareHost(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

/** The port a URL leads to. */
export function effectivePort({ port, protocol }: URL): number {
  return port === "" ? (DEFAULT_PORTS[protocol] ?? 0) : Number(port);
}

function unreadable(entry: string): TransportError {
  return new TransportError(
    "ERR_TRANSPORT_BAD_EGRESS",
    `${JSON.stringify(entry)} is no host, address or network`,
  );
}
