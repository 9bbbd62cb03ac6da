import type { JsonObject, JsonValue } from "./credential-kind.ts";
import { storeKey } from "./store-key.ts";

/** The entry of this credential. */
export function entryUnder(entries: JsonObject | undefined, key: string): JsonValue | undefined {
  const name = entries && entryName(entries, key);
  return name === undefined ? undefined : entries?.[name];
}

/** The member that holds this credential: the key itself, or one whose content makes that key. */
function entryName(entries: JsonObject, key: string): string | undefined {
  if (Object.hasOwn(entries, key)) return key;
  return Object.keys(entries).find((name) => {
    const entry = entries[name];
    if (entry === undefined || !isJsonObject(entry)) return false;
    const { server_name: serverName, server_url: serverUrl, executor_owned: executorOwned } = entry;
    return (
      // An executor's login at the same server is its own, under a key of its own.
      executorOwned !== true &&
      typeof serverName === "string" &&
      typeof serverUrl === "string" &&
      storeKey(serverName, serverUrl) === key
    );
  });
}

/** A copy with this credential's entry changed. Object.fromEntries defines own members, so `__proto__` stays a name. */
export function withEntry(entries: JsonObject, key: string, entry: JsonValue): JsonObject {
  const members = new Map(Object.entries(entries));
  return Object.fromEntries(members.set(entryName(entries, key) ?? key, entry));
}

/** A copy without it, under whatever names it stands: what is left must not be found in its place. */
export function withoutEntry(entries: JsonObject, key: string): JsonObject {
  const name = entryName(entries, key);
  if (name === undefined) return entries;
  const others = Object.entries(entries).filter(([other]) => other !== name);
  return withoutEntry(Object.fromEntries(others), key);
}

export function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
