import type { JsonObject, JsonValue } from "./credential-kind.ts";
import type { EntryFormat } from "./keyring-store.ts";

/** How the other program calls its members. */
export interface NestedEntryFormatOptions {
  /** The member that holds the token endpoint's answer. */
  readonly answer: string;
  /** The member that holds the server's URL. */
  readonly url: string;
}

/** Members of the answer that an entry of the aggregate file has at its top. */
const LIFTED: ReadonlySet<string> = new Set(["access_token", "refresh_token", "scope", "expires_in"]);

/**
 * The shape in which other programs keep an OAuth credential in a keyring: the aggregate file's entry with the
 * tokens one level down, as the token endpoint gave them. Members it does not know are kept where they were.
 */
export function nestedEntryFormat(options: NestedEntryFormatOptions): EntryFormat {
  const { answer, url } = options;
  return Object.freeze({
    pack(entry: JsonValue): JsonValue {
      const {
        server_url: serverUrl,
        access_token: accessToken,
        refresh_token: refreshToken,
        scopes,
        ...rest
      } = object(entry);
      const kept = new Map(Object.entries(object(rest[answer] ?? {})));
      kept.set("access_token", accessToken);
      if (!kept.has("token_type")) kept.set("token_type", "bearer");
      if (typeof refreshToken === "string") kept.set("refresh_token", refreshToken);
      if (Array.isArray(scopes) && scopes.length > 0) kept.set("scope", scopes.join(" "));
      const members = new Map(Object.entries(rest));
      members.set(url, serverUrl);
      members.set(answer, Object.fromEntries(kept));
      return Object.fromEntries(members);
    },

    unpack(value: JsonValue): JsonValue {
      const members = new Map(Object.entries(object(value)));
      const inner = object(members.get(answer));
      const { access_token: accessToken, refresh_token: refreshToken = null, scope } = inner;
      const kept = Object.entries(inner).filter(([name]) => !LIFTED.has(name));
      members.set("server_url", members.get(url));
      members.delete(url);
      members.set("access_token", accessToken);
      members.set("refresh_token", refreshToken);
      members.set("scopes", typeof scope === "string" ? scope.split(" ").filter((one) => one !== "") : []);
      members.set(answer, Object.fromEntries(kept));
      return Object.fromEntries(members);
    },
  });
}

function object(value: JsonValue | undefined): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new TypeError("not an object");
}
