import type { ClientConnection } from "./client-connection.ts";
import { notificationText } from "./notification-text.ts";

/** Everyone who is connected. */
export class ConnectionRegistry {
  readonly #connections = new Set<ClientConnection>();
  readonly #leaveListeners = new Set<(connection: ClientConnection) => void>();

  get size(): number {
    return this.#connections.size;
  }

  add(connection: ClientConnection): void {
    this.#connections.add(connection);
  }

  remove(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return;
    for (const listener of this.#leaveListeners) listener(connection);
  }

  /** Hears of every connection that has gone. */
  onLeave(listener: (connection: ClientConnection) => void): void {
    this.#leaveListeners.add(listener);
  }

  /** Tells every initialised connection, in one serialisation. */
  broadcast(method: string, params: unknown): void {
    const text = notificationText(method, params);
    for (const connection of this.#connections) connection.deliver(method, text);
  }

  async closeAll(code: number, reason: string): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.close(code, reason)));
  }
}
