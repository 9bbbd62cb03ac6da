import { isIP } from "node:net";
import { AppServerError } from "../errors.ts";

/** Where the server meets its clients. */
export type ListenAddress =
  | { readonly kind: "stdio" }
  | { readonly kind: "ws"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface ListenAddressOptions {
  /** Path taken by `unix://` alone. */
  readonly defaultSocketPath: string;
}

/**
 * Reads `stdio://`, `unix://[PATH]` or `ws://IP:PORT`. A WebSocket host must be an IP literal, so that what is
 * listened on never depends on a name lookup. Throws `ERR_APP_SERVER_USAGE`.
 */
export function parseListenAddress(text: string, options: ListenAddressOptions): ListenAddress {
  if (text === "stdio://" || text === "stdio") return { kind: "stdio" };
  if (text.startsWith("unix://")) {
    const path = text.slice("unix://".length);
    return { kind: "unix", path: path === "" ? options.defaultSocketPath : path };
  }
  const match = /^ws:\/\/(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || isIP(host) === 0 || port > 65_535) {
    throw new AppServerError(
      "ERR_APP_SERVER_USAGE",
      `--listen ${JSON.stringify(text)} is not an address: use stdio://, unix://PATH or ws://IP:PORT`,
    );
  }
  return { kind: "ws", host, port };
}

/** Whether an IP literal is reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
