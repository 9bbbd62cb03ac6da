import type { CredentialKind, JsonValue } from "../../src/credential-kind.ts";
import { type OAuthCredential, type OAuthView, oauthCredential } from "../../src/oauth-credential.ts";

/** A kind whose answers can be for somebody else. */
export const killKind: CredentialKind<OAuthCredential, OAuthView> = {
  ...oauthCredential,
  validate: (previous: OAuthCredential, answer: JsonValue) =>
    typeof answer === "object" && answer !== null && "somebody_else" in answer
      ? { outcome: "wrong-account" }
      : oauthCredential.validate(previous, answer),
};
