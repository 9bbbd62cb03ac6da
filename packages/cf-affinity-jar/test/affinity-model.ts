/**
 * What the jar should do, written from RFC 6265 and the host and name rules alone: it shares no code with the jar and
 * none with its library. Knows the public suffixes that the generated hosts need, and no more.
 */
export interface ModelOptions {
  readonly exactHosts: readonly string[];
  readonly suffixes: readonly string[];
  readonly maxCookies: number;
  readonly maxBytes: number;
}

interface ModelCookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly hostOnly: boolean;
  readonly path: string;
  readonly dead: boolean;
  /** When it was first set; a replacement keeps it. */
  readonly born: number;
}

const PUBLIC_SUFFIXES = ["com", "uk", "co.uk", "io", "github.io", "example"];
const NAMES =
  /^(?:__cf_bm|__cflb|__cfruid|__cfseq|__cfwaitingroom|__oailb|_cfuvid|cf_clearance|cf_ob_info|cf_use_ob|cf_chl_.*)$/;

export class AffinityModel {
  readonly #options: ModelOptions;
  /** In the order in which they were last set. */
  #cookies: ModelCookie[] = [];
  #clock = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  allows(url: URL): boolean {
    const { exactHosts, suffixes } = this.#options;
    const labels = url.hostname.split(".");
    if (url.protocol !== "https:" || labels.includes("")) return false;
    const parents = labels.map((_, index) => `.${labels.slice(index).join(".")}`).slice(1);
    return exactHosts.includes(url.hostname) || parents.some((parent) => suffixes.includes(parent));
  }

  set(url: URL, line: string): void {
    if (!this.allows(url)) return;
    const cookie = this.#read(url, line);
    if (cookie === undefined) return;
    const same = ({ name, domain, path }: ModelCookie): boolean =>
      name === cookie.name && domain === cookie.domain && path === cookie.path;
    const born = this.#cookies.find(same)?.born ?? cookie.born;
    this.#cookies = [...this.#cookies.filter((other) => !same(other)), { ...cookie, born }].filter(
      ({ dead }) => !dead,
    );
    while (this.#cookies.length > this.#options.maxCookies || this.#bytes() > this.#options.maxBytes) {
      this.#cookies.shift();
    }
  }

  header(url: URL): string | undefined {
    if (!this.allows(url)) return undefined;
    const sent = this.#cookies
      .filter(({ domain, hostOnly }) => (hostOnly ? domain === url.hostname : isWithin(url.hostname, domain)))
      .filter(({ path }) => pathMatches(url.pathname, path))
      .toSorted((a, b) => b.path.length - a.path.length || a.born - b.born);
    return sent.length === 0 ? undefined : sent.map(({ name, value }) => `${name}=${value}`).join("; ");
  }

  #read(url: URL, line: string): ModelCookie | undefined {
    if (line.length > 8192 || [...line].some((character) => character < " " || character > "~"))
      return undefined;
    const [pair = "", ...attributes] = line.split(";");
    const equals = pair.indexOf("=");
    const name = pair.slice(0, equals).trim();
    const value = pair.slice(equals + 1).trim();
    if (equals === -1 || !NAMES.test(name)) return undefined;
    if (name.length + value.length + 3 > Math.min(4096, this.#options.maxBytes)) return undefined;

    const given = new Map<string, string>();
    for (const attribute of attributes) {
      const [key = "", ...rest] = attribute.split("=");
      const attributeName = key.trim().toLowerCase();
      const attributeValue = rest.join("=").trim();
      // RFC 6265, section 5.2.3: a Domain without a value is as if it were not there.
      if (attributeName !== "domain" || attributeValue !== "") given.set(attributeName, attributeValue);
    }
    const wanted = (given.get("domain") ?? "").replace(/^\./, "").toLowerCase();
    if (wanted !== "" && (PUBLIC_SUFFIXES.includes(wanted) || !isWithin(url.hostname, wanted)))
      return undefined;
    const path = given.get("path") ?? "";
    this.#clock += 1;
    return {
      name,
      value,
      domain: wanted === "" ? url.hostname : wanted,
      hostOnly: wanted === "",
      path: path.startsWith("/") ? path : defaultPath(url.pathname),
      dead: isDead(given.get("max-age"), given.get("expires")),
      born: this.#clock,
    };
  }

  #bytes(): number {
    return this.#cookies.reduce((sum, { name, value }) => sum + name.length + value.length + 3, 0);
  }
}

/** The host itself or a name below it; an address has nothing below it. */
function isWithin(host: string, domain: string): boolean {
  if (host === domain) return true;
  return host.endsWith(`.${domain}`) && !/^[\d.]+$/.test(host);
}

/** RFC 6265, section 5.1.4. */
function pathMatches(requestPath: string, path: string): boolean {
  if (requestPath === path) return true;
  if (!requestPath.startsWith(path)) return false;
  return path.endsWith("/") || requestPath[path.length] === "/";
}

function defaultPath(requestPath: string): string {
  const last = requestPath.lastIndexOf("/");
  return last <= 0 ? "/" : requestPath.slice(0, last);
}

/** The generated dates are long past or far ahead. */
function isDead(maxAge: string | undefined, expires: string | undefined): boolean {
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return Number(maxAge) <= 0;
  return expires?.includes("1970") ?? false;
}
