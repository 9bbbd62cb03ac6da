import { Cookie, CookieJar, MemoryCookieStore } from "tough-cookie";
import { type AffinityHosts, CHATGPT_HOSTS, createHostGate } from "./affinity-hosts.ts";
import { type AffinityNames, CLOUDFLARE_AFFINITY_COOKIES, createNameGate } from "./affinity-names.ts";

export interface AffinityJarOptions {
  /** @defaultValue CHATGPT_HOSTS */
  readonly hosts?: AffinityHosts | undefined;
  /** @defaultValue CLOUDFLARE_AFFINITY_COOKIES */
  readonly names?: AffinityNames | undefined;
  /** Over it, the cookie set longest ago is forgotten. @defaultValue 64 */
  readonly maxCookies?: number | undefined;
  /**
   * Names and values of the whole jar, with what joins them in a header; over it, the cookie set longest ago is
   * forgotten. The default keeps one header line below the 8 KiB that many servers accept. @defaultValue 6144
   */
  readonly maxBytes?: number | undefined;
}

/** One remembered cookie, without its value. */
export interface AffinityCookieSummary {
  readonly name: string;
  readonly domain: string;
  /** Only `domain` itself gets it; else every allowed host below as well. */
  readonly hostOnly: boolean;
  readonly path: string;
  /** Milliseconds since the epoch; absent for a session cookie. */
  readonly expiresAtMs?: number | undefined;
}

/** Affinity cookies of one process, in memory. Made once and shared by all that send from that process. */
export interface AffinityJar {
  /** Whether cookies may travel with this URL at all: an allowed host, over https. */
  allows(url: URL): boolean;
  /** Value of the header for a request to `url`; undefined, never empty, when there is nothing to send. */
  cookieHeader(url: URL): string | undefined;
  /** Takes what a response from `url` sets, whatever its status. Everything not allowed is dropped silently. */
  store(url: URL, setCookieLines: readonly string[]): void;
  /** What is remembered, the cookie set longest ago first. */
  inspect(): readonly AffinityCookieSummary[];
  /** Forgets everything. */
  clear(): void;
}

interface LedgerEntry {
  readonly cookie: Cookie;
  /** Milliseconds since the epoch; infinite for a session cookie. */
  readonly expiresAtMs: number;
}

/** Longest line worth parsing, attributes included. */
const MAX_LINE_LENGTH = 8192;
/** RFC 6265bis, section 5.7: name and value together. */
const MAX_COOKIE_LENGTH = 4096;
/** RFC 6265bis, section 5.5: 400 days. */
const MAX_LIFETIME_MS = 400 * 24 * 60 * 60 * 1000;
/** `=` after the name and `; ` after the value. */
const JOINING_BYTES = 3;

/**
 * A jar for affinity cookies and nothing else: the lists of names and hosts are checked on the way in and again on
 * the way out. Between them RFC 6265 rules, with the public suffix list. Nothing is ever written to disk.
 *
 * @throws {@link AffinityError} `ERR_CF_AFFINITY_JAR_INVALID_HOST` for a list that does not name hosts.
 */
export function createAffinityJar(options: AffinityJarOptions = {}): AffinityJar {
  return new BoundedJar(options);
}

class BoundedJar implements AffinityJar {
  readonly #allowsName: (name: string) => boolean;
  readonly #allowsUrl: (url: URL) => boolean;
  readonly #maxCookies: number;
  readonly #maxBytes: number;
  readonly #store = new MemoryCookieStore();
  readonly #jar = new CookieJar(this.#store);
  /** Every stored cookie, the one set longest ago first: what the caps count, and when it expires. */
  readonly #ledger = new Map<string, LedgerEntry>();
  #bytes = 0;

  constructor(options: AffinityJarOptions) {
    const { hosts = CHATGPT_HOSTS, names = CLOUDFLARE_AFFINITY_COOKIES } = options;
    const { maxCookies = 64, maxBytes = 6144 } = options;
    this.#allowsName = createNameGate(names);
    this.#allowsUrl = createHostGate(hosts);
    this.#maxCookies = maxCookies;
    this.#maxBytes = maxBytes;
  }

  allows(url: URL): boolean {
    return this.#allowsUrl(url);
  }

  cookieHeader(url: URL): string | undefined {
    if (this.#ledger.size === 0 || !this.#allowsUrl(url)) return undefined;
    this.#forgetExpired();
    const cookies = this.#jar.getCookiesSync(url).filter(({ key }) => this.#allowsName(key));
    return cookies.length === 0 ? undefined : cookies.map((cookie) => cookie.cookieString()).join("; ");
  }

  store(url: URL, setCookieLines: readonly string[]): void {
    if (setCookieLines.length === 0 || !this.#allowsUrl(url)) return;
    for (const line of setCookieLines) {
      const cookie = this.#parse(line);
      if (cookie === undefined) continue;
      const expiresAtMs = takeExpiry(cookie);
      // Undefined when the cookie names a domain that is foreign or public.
      const stored = this.#jar.setCookieSync(cookie, url, { ignoreError: true });
      if (stored !== undefined) this.#enter({ cookie: stored, expiresAtMs });
    }
    this.#enforceCaps();
  }

  inspect(): readonly AffinityCookieSummary[] {
    this.#forgetExpired();
    return [...this.#ledger.values()].map(({ cookie, expiresAtMs }) => ({
      name: cookie.key,
      domain: cookie.domain ?? "",
      hostOnly: cookie.hostOnly === true,
      path: cookie.path ?? "/",
      ...(expiresAtMs === Number.POSITIVE_INFINITY ? {} : { expiresAtMs }),
    }));
  }

  clear(): void {
    this.#jar.removeAllCookiesSync();
    this.#ledger.clear();
    this.#bytes = 0;
  }

  #parse(line: string): Cookie | undefined {
    // The name is tested before anything else looks at a stranger's line.
    if (line.length > MAX_LINE_LENGTH || !this.#allowsName(nameOf(line))) return undefined;
    if (!/^[ -~]*$/.test(line)) return undefined;
    const cookie = Cookie.parse(line);
    if (cookie === undefined || !this.#allowsName(cookie.key)) return undefined;
    return sizeOf(cookie) > Math.min(MAX_COOKIE_LENGTH, this.#maxBytes) ? undefined : cookie;
  }

  #enter(entry: LedgerEntry): void {
    const id = idOf(entry.cookie);
    this.#leave(id);
    this.#ledger.set(id, entry);
    this.#bytes += sizeOf(entry.cookie);
  }

  #leave(id: string): void {
    const entry = this.#ledger.get(id);
    if (entry === undefined) return;
    this.#ledger.delete(id);
    this.#bytes -= sizeOf(entry.cookie);
  }

  #forget(id: string, cookie: Cookie): void {
    this.#leave(id);
    // The memory store removes before it returns; its promise has nothing to tell.
    void this.#store.removeCookie(cookie.domain ?? "", cookie.path ?? "/", cookie.key);
  }

  #forgetExpired(): void {
    const now = Date.now();
    for (const [id, { cookie, expiresAtMs }] of this.#ledger) {
      if (expiresAtMs <= now) this.#forget(id, cookie);
    }
  }

  #enforceCaps(): void {
    this.#forgetExpired();
    for (const [id, { cookie }] of this.#ledger) {
      if (this.#ledger.size <= this.#maxCookies && this.#bytes <= this.#maxBytes) return;
      this.#forget(id, cookie);
    }
  }
}

/**
 * When a cookie expires (Max-Age before Expires), and at most 400 days from now. The cookie itself is told that it never
 * does: tough-cookie counts Max-Age from the last use, so that a cookie in use would live for ever.
 */
function takeExpiry(cookie: Cookie): number {
  const { maxAge, expires } = cookie;
  cookie.maxAge = null;
  cookie.expires = "Infinity";
  const now = Date.now();
  if (maxAge === null && !(expires instanceof Date)) return Number.POSITIVE_INFINITY;
  const lifetimeMs = maxAge === null ? (expires as Date).getTime() - now : Number(maxAge) * 1000;
  return now + Math.min(lifetimeMs, MAX_LIFETIME_MS);
}

function nameOf(line: string): string {
  const end = line.indexOf("=");
  return (end === -1 ? line : line.slice(0, end)).trim();
}

function sizeOf(cookie: Cookie): number {
  return cookie.key.length + cookie.value.length + JOINING_BYTES;
}

function idOf(cookie: Cookie): string {
  return `${cookie.domain}\n${cookie.path}\n${cookie.key}`;
}
