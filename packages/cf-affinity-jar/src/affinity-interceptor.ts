import type { AffinityJar } from "./create-affinity-jar.ts";

/** What is read of undici's dispatch options; the rest passes through untouched. */
interface DispatchOptions {
  readonly origin?: string | URL | undefined;
  readonly path: string;
  readonly method?: string | undefined;
  readonly upgrade?: boolean | string | null | undefined;
  readonly headers?: DispatchHeaders | null | undefined;
}

type DispatchHeaders =
  | readonly string[]
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | Iterable<readonly [string, string | readonly string[] | undefined]>;

/** Undici's handler: called back as the exchange goes on. */
type DispatchHandler = Readonly<Record<string, ((...args: unknown[]) => unknown) | undefined>>;

type Dispatch = (options: DispatchOptions, handler: DispatchHandler) => boolean;

/** Every callback of the handler interface of undici 7 and 8. */
const CALLBACKS = [
  "onRequestStart",
  "onRequestUpgrade",
  "onResponseStarted",
  "onResponseStart",
  "onResponseData",
  "onResponseEnd",
  "onResponseError",
  "onBodySent",
  "onRequestSent",
] as const;

/**
 * The same as `withAffinityCookies` for a bare undici dispatcher: `agent.compose(affinityInterceptor(jar))`. Compose
 * it before (that is, closer to the wire than) undici's redirect interceptor. Tunnels and upgrades pass untouched.
 */
export function affinityInterceptor(
  jar: AffinityJar,
): <D extends (options: never, handler: never) => boolean>(dispatch: D) => D {
  return <D extends (options: never, handler: never) => boolean>(dispatch: D): D => {
    const next = dispatch as unknown as Dispatch;
    const intercepted: Dispatch = (options, handler) => {
      const url = urlOf(options);
      if (url === null || !jar.allows(url)) return next(options, handler);
      return next(withCookies(jar, url, options), watching(jar, url, handler));
    };
    return intercepted as unknown as D;
  };
}

function urlOf({ origin, path, method, upgrade }: DispatchOptions): URL | null {
  if (origin === undefined || method === "CONNECT" || upgrade) return null;
  return URL.parse(path, String(origin));
}

function withCookies(jar: AffinityJar, url: URL, options: DispatchOptions): DispatchOptions {
  const entries = headerEntries(options.headers);
  if (entries.some(([name]) => name.toLowerCase() === "cookie"))
    return { ...options, headers: flat(entries) };
  const cookies = jar.cookieHeader(url);
  if (cookies === undefined) return { ...options, headers: flat(entries) };
  return { ...options, headers: flat([...entries, ["cookie", cookies]]) };
}

/** The handler, with the head of the response shown to the jar first. */
function watching(jar: AffinityJar, url: URL, handler: DispatchHandler): DispatchHandler {
  const watcher: Record<string, (...args: unknown[]) => unknown> = {};
  for (const name of CALLBACKS) {
    if (handler[name] !== undefined) watcher[name] = (...args) => handler[name]?.(...args);
  }
  watcher["onResponseStart"] = (...args) => {
    const headers = args[2] as Readonly<Record<string, string | readonly string[] | undefined>>;
    const lines = headers["set-cookie"];
    if (lines !== undefined) jar.store(url, typeof lines === "string" ? [lines] : lines);
    return handler["onResponseStart"]?.(...args);
  };
  return watcher;
}

/** Undici takes headers as flat pairs, as a record, and as an iterable of entries. */
function headerEntries(headers: DispatchHeaders | null | undefined): readonly (readonly [string, string])[] {
  if (headers === null || headers === undefined) return [];
  if (Array.isArray(headers)) return pairs(headers);
  const entries =
    Symbol.iterator in headers
      ? (headers as Iterable<readonly [string, string | readonly string[] | undefined]>)
      : Object.entries(headers);
  return [...entries].flatMap(([name, value]) => valuesOf(value).map((one) => [name, one] as const));
}

function valuesOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}

function pairs(list: readonly string[]): readonly (readonly [string, string])[] {
  const entries: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < list.length; index += 2) {
    entries.push([list[index] as string, list[index + 1] as string]);
  }
  return entries;
}

function flat(entries: readonly (readonly [string, string])[]): readonly string[] {
  return entries.flat();
}
