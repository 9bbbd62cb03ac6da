export type AffinityErrorCode =
  /** A host list names something that is no bare host, or a suffix under which strangers live. */
  | "ERR_CF_AFFINITY_JAR_INVALID_HOST"
  /** Cloudflare answered with a challenge instead of the origin. */
  | "ERR_CF_AFFINITY_JAR_CHALLENGED";

export interface AffinityErrorDetails {
  /** Status of the response that was a challenge. */
  readonly status?: number | undefined;
  /** Its `cf-ray`: what Cloudflare's support asks for. */
  readonly rayId?: string | undefined;
}

/** A mistake in the set-up, or a challenge. Sending the same thing again does not help with either. */
export class AffinityError extends Error {
  override readonly name = "AffinityError";
  readonly code: AffinityErrorCode;
  readonly retry = "never";
  readonly status: number | undefined;
  readonly rayId: string | undefined;

  constructor(code: AffinityErrorCode, message: string, details: AffinityErrorDetails = {}) {
    super(message);
    this.code = code;
    this.status = details.status;
    this.rayId = details.rayId;
  }
}

/** Also true for an error made by another installed copy of this package. */
export function isAffinityError(error: unknown): error is AffinityError {
  return error instanceof Error && error.name === "AffinityError" && "code" in error;
}
