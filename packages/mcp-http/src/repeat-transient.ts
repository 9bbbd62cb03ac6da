import { setTimeout as sleep } from "node:timers/promises";
import { isTransportError } from "@hawser/transport";
import { isMcpHttpError } from "./errors.ts";

const delaysMs = [250, 1_000] as const;

/**
 * Runs `attempt` up to three times, 250 ms and 1 s apart, as long as it fails for a reason that says nothing about the
 * request: no connection, a broken body, 408, 429, 500, 502, 503, 504. For messages that do no harm twice only.
 */
export async function repeatTransient<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (const delayMs of delaysMs) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransientFault(error)) throw error;
    }
    await sleep(delayMs, undefined, { signal });
  }
  return attempt();
}

/** Whether the fault can be gone a moment later. Never for an answer about the login, the session or the size. */
function isTransientFault(error: unknown): boolean {
  if (isTransportError(error)) return error.retry !== "never";
  return isMcpHttpError(error, "ERR_MCP_HTTP_STATUS") && error.retry !== "never";
}
