import { isSafeEndpoint } from "./resource.ts";

/** What a login is bound to: a refresh token is shown to nobody else, whatever metadata says later. */
export interface LoginPins {
  readonly issuer: string;
  readonly tokenEndpoint: URL;
  readonly resource: string;
}

/** As the credential store keeps them. */
export function formatPins({ issuer, tokenEndpoint, resource }: LoginPins): Readonly<Record<string, string>> {
  return { issuer, tokenEndpoint: tokenEndpoint.href, tokenEndpointAuthMethod: "none", resource };
}

/** Undefined when nothing usable is pinned, or when it belongs to another issuer than the credential's. */
export function parsePins(
  pins: Readonly<Record<string, string>>,
  credentialIssuer: string | undefined,
): LoginPins | undefined {
  const { issuer, tokenEndpoint, resource } = pins as Partial<Record<string, string>>;
  if (issuer === undefined || tokenEndpoint === undefined || resource === undefined) return undefined;
  if (issuer !== credentialIssuer || !URL.canParse(tokenEndpoint)) return undefined;
  const url = new URL(tokenEndpoint);
  return isSafeEndpoint(url) ? { issuer, tokenEndpoint: url, resource } : undefined;
}
