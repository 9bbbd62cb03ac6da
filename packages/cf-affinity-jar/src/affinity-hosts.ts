import { getPublicSuffix } from "tough-cookie";
import { AffinityError } from "./errors.ts";

/** Which hosts a jar serves, always over https and on any port. */
export interface AffinityHosts {
  /** Bare hosts: `"api.example.com"`, `"localhost"`. */
  readonly exact: readonly string[];
  /** Each starts with a dot and stands for everything below it, not for itself: `".example.com"`. */
  readonly suffixes: readonly string[];
}

export const CHATGPT_HOSTS: AffinityHosts = Object.freeze({
  exact: Object.freeze(["chatgpt.com", "chat.openai.com", "chatgpt-staging.com"]),
  suffixes: Object.freeze([".chatgpt.com", ".chatgpt-staging.com"]),
});

/**
 * The test for one list of hosts. A host is compared as the URL parser writes it: lower case, IDN in ASCII.
 *
 * @throws {@link AffinityError} `ERR_CF_AFFINITY_JAR_INVALID_HOST`.
 */
export function createHostGate(hosts: AffinityHosts): (url: URL) => boolean {
  const exact = byLength(hosts.exact.map(canonicalHost));
  const suffixes = hosts.suffixes.map(canonicalSuffix);
  return (url) => {
    if (url.protocol !== "https:") return false;
    const host = url.hostname;
    // Most requests go elsewhere, and this is all they pay.
    if (exact[host.length]?.includes(host)) return true;
    for (const suffix of suffixes) if (isBelow(host, suffix)) return true;
    return false;
  };
}

/** A host that the URL parser has just cut out has no hash yet: its length is there at once. */
function byLength(hosts: readonly string[]): readonly (readonly string[] | undefined)[] {
  const groups: string[][] = Array.from(
    { length: 1 + Math.max(0, ...hosts.map(({ length }) => length)) },
    () => [],
  );
  for (const host of hosts) groups[host.length]?.push(host);
  return groups;
}

/** Empty labels are legal in a URL and in no certificate. */
function isBelow(host: string, suffix: string): boolean {
  return host.endsWith(suffix) && host.length > suffix.length && !`.${host}`.includes("..");
}

function canonicalHost(host: string): string {
  const bare = /^(?:\[[\da-f:.]+\]|[^\s/\\:@?#*[\]]*[^\s/\\:@?#*[\].])$/i.test(host);
  const url = bare ? URL.parse(`https://${host}/`) : null;
  if (url === null) throw invalid(host, "name a bare host, without scheme, port, path or trailing dot");
  return url.hostname;
}

function canonicalSuffix(suffix: string): string {
  if (!suffix.startsWith(".")) throw invalid(suffix, "a suffix starts with a dot");
  const host = canonicalHost(suffix.slice(1));
  // Below a public suffix every name may belong to somebody else.
  if (registrableDomain(host) === undefined) throw invalid(suffix, "strangers share that suffix");
  return `.${host}`;
}

function registrableDomain(host: string): string | undefined {
  return getPublicSuffix(host, { allowSpecialUseDomain: true, ignoreError: true }) ?? undefined;
}

function invalid(host: string, why: string): AffinityError {
  const shown = JSON.stringify(host.slice(0, 100));
  return new AffinityError("ERR_CF_AFFINITY_JAR_INVALID_HOST", `Invalid affinity host ${shown}: ${why}.`);
}
