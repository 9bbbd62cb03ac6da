/** An initialised connection to an exec-server. */
export interface ExecServerConnection extends AsyncDisposable {
  /** What the server says it can do beyond the base protocol. */
  readonly capabilities: ReadonlySet<string>;
  /** The server's working directory, as a `file:` URI, when it says. */
  readonly cwd: string | undefined;
  /**
   * Calls a method of the protocol: `process/start`, `environment/status`, … Rejects with `ExecConnectionError`, or
   * with the signal's reason; giving up leaves the server working.
   */
  request(
    method: string,
    params: unknown,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<unknown>;
  /** Sends a notification. Resolves when there is room for more. */
  notify(method: string, params: unknown): Promise<void>;
  /** Calls `listener` for each `process/*` or `http/request/bodyDelta` notification. Returns the way to stop. */
  subscribe(method: string, listener: (params: unknown) => void): () => void;
  /** Whether the connection was there the last time anything was heard. */
  readonly isOpen: boolean;
  /** Resolves when the connection is gone. Never rejects. */
  readonly closed: Promise<void>;
  /** Flushes and closes. The server keeps the session's processes for a while. */
  close(): Promise<void>;
}
