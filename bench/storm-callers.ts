import { randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createCredentialSession, type RefreshGrantAnswer } from "@hawser/oauth-store";
import { auth, type OAuthClientProvider } from "@modelcontextprotocol/client";
import lockfile from "proper-lockfile";
import { fileStore, HOUR, KEY, sessionOptions } from "./login-fixture.ts";

/** The ways to keep one login in a file that are put beside each other. */
export type StormKind = "ours" | "proper-lockfile" | "official client";

/** What one caller does: resolves with a fresh access token or throws. */
export interface StormCaller {
  call(): Promise<string>;
  end(): PromiseLike<void>;
}

/** One process's way to a fresh token, made anew for each round. */
export function stormCaller(kind: StormKind, home: string, serverUrl: string): StormCaller {
  if (kind === "ours") return ours(home, serverUrl);
  const path = join(home, ".credentials.json");
  return {
    call: kind === "official client" ? official(path, serverUrl) : locked(path, serverUrl),
    async end() {},
  };
}

function ours(home: string, serverUrl: string): StormCaller {
  const session = createCredentialSession(
    sessionOptions(fileStore(home), home, (refreshToken) => post(serverUrl, refreshToken)),
  );
  return {
    call: async () => (await session.ensureFresh()).view.accessToken,
    end: () => session[Symbol.asyncDispose](),
  };
}

type Entry = Record<string, unknown>;

async function readEntries(path: string): Promise<Record<string, Entry>> {
  return JSON.parse(await readFile(path, "utf8")) as Record<string, Entry>;
}

/** Whole or not at all, so that no reader of these peers meets half a file. */
async function saveEntry(path: string, change: Entry): Promise<void> {
  const all = await readEntries(path);
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, JSON.stringify({ ...all, [KEY]: { ...all[KEY], ...change } }), { mode: 0o600 });
  await rename(temporary, path);
}

/** As careful people write it: one at a time in the process, and the file read again under the lock. */
function locked(path: string, serverUrl: string): () => Promise<string> {
  const refresh = async () => {
    const mine = (await readEntries(path))[KEY] ?? {};
    if (Number(mine["expires_at"]) >= Date.now()) return String(mine["access_token"]);
    const answer = await post(serverUrl, String(mine["refresh_token"]));
    if (answer.sent !== "yes" || answer.status !== 200) throw new Error("invalid_grant");
    const said = JSON.parse(Buffer.from(answer.body).toString()) as Entry;
    await saveEntry(path, { ...said, expires_at: Date.now() + HOUR });
    return String(said["access_token"]);
  };
  let flight: Promise<string> | undefined;
  const run = async () => {
    const retries = { retries: 1000, minTimeout: 10, maxTimeout: 50 };
    const release = await lockfile.lock(path, { realpath: false, retries });
    try {
      return await refresh();
    } finally {
      await release();
    }
  };
  return () => {
    flight ??= run();
    return flight;
  };
}

/** The official client with a provider that keeps its tokens in the file, as its documentation shows it. */
function official(path: string, serverUrl: string): () => Promise<string> {
  const entry = async () => (await readEntries(path))[KEY] ?? {};
  const provider: OAuthClientProvider = {
    redirectUrl: "http://127.0.0.1/callback",
    clientMetadata: { redirect_uris: ["http://127.0.0.1/callback"], token_endpoint_auth_method: "none" },
    clientInformation: () => ({ client_id: "client" }),
    async tokens() {
      const { access_token: accessToken, refresh_token: refreshToken, issuer } = await entry();
      if (typeof accessToken !== "string") return undefined;
      return {
        access_token: accessToken,
        token_type: "Bearer",
        ...(typeof refreshToken === "string" ? { refresh_token: refreshToken } : {}),
        ...(typeof issuer === "string" ? { issuer } : {}),
      };
    },
    saveTokens: (tokens) => saveEntry(path, { ...tokens, expires_at: Date.now() + HOUR }),
    async invalidateCredentials(scope) {
      if (scope === "all" || scope === "tokens")
        await saveEntry(path, { access_token: null, refresh_token: null });
    },
    redirectToAuthorization() {}, // A browser would open here.
    saveCodeVerifier() {},
    codeVerifier: () => "",
  };
  return async () => {
    const { access_token: accessToken, expires_at: expiresAt } = await entry();
    if (Number(expiresAt) >= Date.now() && typeof accessToken === "string") return accessToken;
    if ((await auth(provider, { serverUrl })) !== "AUTHORIZED") throw new Error("a login is asked for");
    return String((await entry())["access_token"]);
  };
}

async function post(serverUrl: string, refreshToken: string): Promise<RefreshGrantAnswer> {
  const answer = await fetch(new URL("/token", serverUrl), {
    method: "POST",
    body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken }),
  });
  return { sent: "yes", status: answer.status, body: new Uint8Array(await answer.arrayBuffer()) };
}
