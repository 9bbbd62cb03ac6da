/**
 * The stores of this suite and the copies that tests make of them, by name: the only files that may hold a token. An
 * encrypted one is none of them; nor is what was moved aside as corrupt, for tests break a store with text that holds
 * no token, and nothing is to come into it on the way.
 */
const STORES: ReadonlySet<string> = new Set([
  ".credentials.json",
  ".credentials.json.away",
  ".credentials.json.copy",
  ".credentials.copy.json",
  "credentials-copy",
  "credentials-stale",
  "auth.json",
  "elsewhere",
]);
/** What a killed write of one leaves. */
const TEMPORARY = /^\.(.+)\.[0-9a-f]{16}\.tmp$/;

/** Whether a file of this name may hold a token. */
export function isStoreFile(name: string): boolean {
  return STORES.has(TEMPORARY.exec(name)?.[1] ?? name);
}
