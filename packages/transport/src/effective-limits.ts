import type { HttpLimits } from "./http-request.ts";

/** The limits of one request, with a number for each but the connection's, which a dispatcher may decide. */
export interface EffectiveLimits {
  readonly connectTimeoutMs: number | undefined;
  readonly headersTimeoutMs: number;
  readonly bodyIdleTimeoutMs: number;
  readonly totalTimeoutMs: number;
  readonly maxResponseBytes: number;
}

/** A request's own limits win one by one over the transport's, and those over the documented defaults. */
export function effectiveLimits(own: HttpLimits | undefined, common: HttpLimits): EffectiveLimits {
  return {
    connectTimeoutMs: own?.connectTimeoutMs ?? common.connectTimeoutMs,
    headersTimeoutMs: own?.headersTimeoutMs ?? common.headersTimeoutMs ?? 300_000,
    bodyIdleTimeoutMs: own?.bodyIdleTimeoutMs ?? common.bodyIdleTimeoutMs ?? 300_000,
    totalTimeoutMs: own?.totalTimeoutMs ?? common.totalTimeoutMs ?? 0,
    maxResponseBytes: own?.maxResponseBytes ?? common.maxResponseBytes ?? 0,
  };
}
