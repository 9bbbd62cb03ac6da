import type { OAuthClientProvider } from "@modelcontextprotocol/client";

type Saved<Method extends "saveTokens" | "saveClientInformation"> = Parameters<
  NonNullable<OAuthClientProvider[Method]>
>[0];

type Discovered = Parameters<NonNullable<OAuthClientProvider["saveDiscoveryState"]>>[0] | undefined;

/** The official client's own login, kept in memory; `authorizationUrl` is what it would open. */
export class MemoryLogin implements OAuthClientProvider {
  readonly redirectUrl: string;
  authorizationUrl: URL | undefined;
  saved: Saved<"saveTokens"> | undefined;
  client: Saved<"saveClientInformation"> | undefined;
  #verifier = "";
  #discovered: Discovered;

  constructor(redirectUrl: string) {
    this.redirectUrl = redirectUrl;
  }

  get clientMetadata() {
    return {
      client_name: "test",
      redirect_uris: [this.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      application_type: "native" as const,
    };
  }

  clientInformation() {
    return this.client;
  }

  saveClientInformation(client: Saved<"saveClientInformation">) {
    this.client = client;
  }

  tokens() {
    return this.saved;
  }

  saveTokens(tokens: Saved<"saveTokens">) {
    this.saved = tokens;
  }

  redirectToAuthorization(url: URL) {
    this.authorizationUrl = url;
  }

  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier;
  }

  saveDiscoveryState(discovered: Discovered) {
    this.#discovered = discovered;
  }

  discoveryState() {
    return this.#discovered;
  }

  /** Keeps everything: the tests look at what was saved. */
  invalidateCredentials() {}

  codeVerifier() {
    return this.#verifier;
  }
}
