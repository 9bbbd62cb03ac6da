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
