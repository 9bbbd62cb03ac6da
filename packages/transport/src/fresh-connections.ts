import type { Dispatcher } from "undici";

/** Makes every request the first and last on its connection. */
export function freshConnections(dispatch: Dispatcher.Dispatch): Dispatcher.Dispatch {
  return (options, handler) => dispatch({ ...options, reset: true }, handler);
}
