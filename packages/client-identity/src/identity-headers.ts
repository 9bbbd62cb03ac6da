import type { HeaderList } from "@hawser/transport";
import type { ClientIdentity } from "./client-identity.ts";

/**
 * The headers that carry `identity`, the same frozen list every time. For what does not pass a transport wrapper:
 * WebSocket handshakes and foreign clients.
 */
export function identityHeaders(identity: ClientIdentity): HeaderList {
  return identity.headers;
}
