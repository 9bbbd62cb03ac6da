import { isTransportError, type TransportError } from "../../src/index.ts";

/** The TransportError that `work` ends with; anything else fails the test. */
export async function failure(work: Promise<unknown>): Promise<TransportError> {
  try {
    await work;
  } catch (error) {
    if (isTransportError(error)) return error;
    throw error;
  }
  throw new Error("nothing failed");
}

/** What `work` rejects with. For tests that run beside others, where vitest cannot tell whose assertion waits. */
export async function rejection(work: Promise<unknown>): Promise<unknown> {
  const nothing = Symbol("nothing");
  const reason = await work.then(
    () => nothing,
    (error: unknown) => error,
  );
  if (reason === nothing) throw new Error("nothing failed");
  return reason;
}
