import { CredentialError } from "./errors.ts";

/** What a failed file operation means here. The original is dropped; its errno and the path remain. */
export function fileError(error: unknown, path: string): CredentialError {
  if (error instanceof CredentialError) return error;
  const errno = (error as NodeJS.ErrnoException).code ?? "unknown";
  if (errno === "ELOOP" || errno === "EMLINK") {
    return new CredentialError("ERR_OAUTH_STORE_UNSAFE_FILE", `a link stands at ${path}`, { reason: errno });
  }
  return new CredentialError("ERR_OAUTH_STORE_NOT_WRITABLE", `${path} cannot be used: ${errno}`, {
    reason: errno,
  });
}
