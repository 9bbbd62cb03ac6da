import { Dispatcher } from "undici";

export interface RoutingOptions {
  /** Carries what goes without a proxy. Closed with this dispatcher. */
  readonly direct: Dispatcher;
  /** The proxy for an origin, or undefined. */
  readonly proxyFor: (origin: URL) => URL | undefined;
  /** `tunnel` asks for one also where http would be forwarded. */
  readonly openProxy: (proxy: URL, tunnel: boolean) => Dispatcher;
}

/**
 * Sends each request directly or through the proxy of its origin; one agent per proxy, opened when first used.
 * What leaves HTTP (a WebSocket) is tunnelled: forwarding proxies do not hand on an upgrade.
 *
 * The methods are closures: `compose` calls them on a Proxy, which has no private fields, and an inspected dispatcher
 * must not show the passwords of its proxies.
 */
export class RoutingDispatcher extends Dispatcher {
  override readonly dispatch: Dispatcher["dispatch"];
  override readonly close: Dispatcher["close"];
  override readonly destroy: Dispatcher["destroy"];

  constructor({ direct, proxyFor, openProxy }: RoutingOptions) {
    super();
    const proxies = new Map<string, Dispatcher>();
    const all = () => [direct, ...proxies.values()];

    let isClosed = false;
    const route = (origin: URL, tunnel: boolean): Dispatcher => {
      // A closed agent says so itself, and nothing may be opened any more.
      const proxy = isClosed ? undefined : proxyFor(origin);
      if (proxy === undefined) return direct;
      const key = `${proxy.href}${tunnel ? " tunnel" : ""}`;
      const known = proxies.get(key);
      if (known !== undefined) return known;
      const opened = openProxy(proxy, tunnel);
      proxies.set(key, opened);
      return opened;
    };

    this.dispatch = (options, handler) =>
      route(new URL(options.origin ?? ""), Boolean(options.upgrade)).dispatch(options, handler);
    this.close = ((callback?: () => void) => {
      isClosed = true;
      return settled(
        all().map((dispatcher) => dispatcher.close()),
        callback,
      );
    }) as Dispatcher["close"];
    this.destroy = ((errorOrCallback?: Error | null | (() => void), callback?: () => void) => {
      isClosed = true;
      const isCallback = typeof errorOrCallback === "function";
      return settled(
        all().map((dispatcher) => dispatcher.destroy(isCallback ? null : (errorOrCallback ?? null))),
        isCallback ? errorOrCallback : callback,
      );
    }) as Dispatcher["destroy"];
  }
}

function settled(work: Promise<void>[], callback: (() => void) | undefined): Promise<void> | undefined {
  const done = Promise.all(work).then(() => {});
  if (callback === undefined) return done;
  done.then(callback, callback);
  return undefined;
}
