import { Dispatcher } from "undici";

export interface RoutingOptions {
  /** Carries what goes without a proxy. Closed with this dispatcher. */
  readonly direct: Dispatcher;
  /** The proxy for an origin, or undefined. */
  readonly proxyFor: (origin: URL) => URL | undefined;
  readonly openProxy: (proxy: URL) => Dispatcher;
}

/** Sends each request directly or through the proxy of its origin; one agent per proxy, opened when first used. */
export class RoutingDispatcher extends Dispatcher {
  readonly #options: RoutingOptions;
  readonly #proxies = new Map<string, Dispatcher>();

  constructor(options: RoutingOptions) {
    super();
    this.#options = options;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.#route(new URL(options.origin ?? "")).dispatch(options, handler);
  }

  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | undefined {
    return settled(
      this.#all().map((dispatcher) => dispatcher.close()),
      callback,
    );
  }

  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(
    errorOrCallback?: Error | null | (() => void),
    callback?: () => void,
  ): Promise<void> | undefined {
    const error = typeof errorOrCallback === "function" ? null : (errorOrCallback ?? null);
    const done = typeof errorOrCallback === "function" ? errorOrCallback : callback;
    return settled(
      this.#all().map((dispatcher) => dispatcher.destroy(error)),
      done,
    );
  }

  #route(origin: URL): Dispatcher {
    const proxy = this.#options.proxyFor(origin);
    if (proxy === undefined) return this.#options.direct;
    const known = this.#proxies.get(proxy.href);
    if (known !== undefined) return known;
    const opened = this.#options.openProxy(proxy);
    this.#proxies.set(proxy.href, opened);
    return opened;
  }

  #all(): Dispatcher[] {
    return [this.#options.direct, ...this.#proxies.values()];
  }
}

function settled(work: Promise<void>[], callback: (() => void) | undefined): Promise<void> | undefined {
  const all = Promise.all(work).then(() => {});
  if (callback === undefined) return all;
  all.then(callback, callback);
  return undefined;
}
