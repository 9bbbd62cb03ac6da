/** A notification as it stands on the wire: every one says when it was sent. Serialised once for all receivers. */
export function notificationText(method: string, params: unknown): string {
  return JSON.stringify({ method, params, emittedAtMs: Date.now() });
}
