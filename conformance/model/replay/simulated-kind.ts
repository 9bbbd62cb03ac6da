import type { CredentialKind, JsonObject, JsonValue } from "@hawser/oauth-store";

/** A credential of the model, by its number. */
export interface NamedCredential {
  readonly number: number;
  readonly account: string;
  readonly refreshToken: string;
}

/** A kind whose access tokens run out when the model says so. */
export function simulatedKind(expired: ReadonlySet<number>): CredentialKind<NamedCredential, number> {
  return {
    name: "model",
    parse: (stored) => {
      const { number, account, refreshToken } = stored as JsonObject;
      return { number: Number(number), account: String(account), refreshToken: String(refreshToken) };
    },
    serialize: ({ number, account, refreshToken }): JsonValue => ({ number, account, refreshToken }),
    view: ({ number }) => number,
    spendable: ({ refreshToken }) => refreshToken,
    bearer: ({ number }) => `at-${number}`,
    needsRefresh: ({ number }) => (expired.has(number) ? "now" : "no"),
    sameOwner: (a, b) => a.account === b.account,
    client: () => "client",
    issuer: () => "https://as.example",
    validate: (previous, answer) =>
      (answer as JsonObject)["account"] === previous.account
        ? { outcome: "usable" }
        : { outcome: "wrong-account" },
    successorOf: (answer) => (answer as JsonObject)["refresh_token"] as string | undefined,
    merge: (previous, answer) => {
      const { number, refresh_token: refreshToken = previous.refreshToken } = answer as JsonObject;
      return { ...previous, number: Number(number), refreshToken: String(refreshToken) };
    },
  };
}
