import { BlockList, isIP } from "node:net";

/**
 * Reads a NO_PROXY value into a question: does this origin go without the proxy? Entries are separated by commas or
 * spaces: `*` is everything; `x.org`, `.x.org` and `*.x.org` are that name and all below it; an address is itself,
 * `10.0.0.0/8` a network; `:8443` after an entry limits it to that port. What cannot be read matches nothing.
 */
export function noProxyMatcher(value: string): (origin: URL) => boolean {
  const rules = value
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .map(rule);
  return (origin) => {
    const host = bareHost(origin.hostname);
    const port = origin.port === "" ? DEFAULT_PORTS[origin.protocol] : origin.port;
    return rules.some((matches) => matches(host, port));
  };
}

/** Whether the host can only be this machine: `localhost`, names below it, 127.0.0.0/8 and ::1. */
export function isLoopback(hostname: string): boolean {
  const host = bareHost(hostname);
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    (isIP(host) === 4 ? host.startsWith("127.") : host === "::1")
  );
}

type Rule = (host: string, port: string | undefined) => boolean;

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

function rule(entry: string): Rule {
  if (entry === "*") return () => true;
  const { name, port: wantedPort } = split(entry.toLowerCase());
  const matches = named(name);
  return (host, port) => (wantedPort === undefined || wantedPort === port) && matches(host);
}

function named(name: string): (host: string) => boolean {
  const [address = "", bits, ...rest] = name.split("/");
  const family = isIP(address);
  if (family !== 0 && bits !== undefined && rest.length === 0) return network(address, family, bits);
  if (family === 6) return (host) => isIP(host) === 6 && sameAddress(host, address);
  if (family === 4) return (host) => host === address;
  const suffix = name.replace(/^\*?\./, "").replace(/\.$/, "");
  return suffix === "" ? () => false : (host) => host === suffix || host.endsWith(`.${suffix}`);
}

function network(address: string, family: number, bits: string): (host: string) => boolean {
  const prefix = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (!(prefix <= (family === 4 ? 32 : 128))) return () => false;
  const list = new BlockList();
  list.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
  return (host) => {
    const hostFamily = isIP(host);
    return hostFamily === family && list.check(host, family === 4 ? "ipv4" : "ipv6");
  };
}

/** The one spelling that URL gives an address. */
function sameAddress(left: string, right: string): boolean {
  return new URL(`http://[${left}]`).hostname === new URL(`http://[${right}]`).hostname;
}

/** Takes a port off the end; an address of version 6 has one only behind brackets. */
function split(entry: string): { name: string; port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(entry);
  if (bracketed !== null) return { name: bracketed[1] ?? "", port: bracketed[2] };
  if (isIP(entry.split("/")[0] ?? "") === 6) return { name: entry, port: undefined };
  const ported = /^(.*):(\d+)$/.exec(entry);
  return ported === null ? { name: entry, port: undefined } : { name: ported[1] ?? "", port: ported[2] };
}

function bareHost(hostname: string): string {
  const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return bare.endsWith(".") ? bare.slice(0, -1) : bare;
}
