import type { HttpRequest } from "@hawser/transport";
import { AuthManagerError } from "./errors.ts";

/** How long the caller of a request waits for its login. */
export interface CallerPatience {
  /** Aborts when the caller gives up or its operation's time is up. */
  readonly signal: AbortSignal | undefined;
  /** Throws when it is over. */
  assert(): void;
  /** Gives the timer back. */
  end(): void;
}

const longestTimerMs = 2 ** 31 - 1;

/** The request's own signal and what is left of its operation's time, as one. End it in a `finally`. */
export function callerPatience(request: HttpRequest): CallerPatience {
  const { operation, signal } = request;
  const leftMs = operation?.remainingMs() ?? Number.POSITIVE_INFINITY;
  if (leftMs === Number.POSITIVE_INFINITY) {
    return { signal, assert: () => signal?.throwIfAborted(), end: () => undefined };
  }
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(deadlinePassed()), Math.min(leftMs, longestTimerMs));
  return {
    signal: signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]),
    assert() {
      signal?.throwIfAborted();
      // A timer may be late; the operation's own clock decides.
      if (operation?.remainingMs() === 0) throw deadlinePassed();
    },
    end: () => clearTimeout(timer),
  };
}

function deadlinePassed(): AuthManagerError {
  return new AuthManagerError(
    "ERR_AUTH_MANAGER_DEADLINE",
    "The operation's time was up before the request could be sent.",
  );
}
