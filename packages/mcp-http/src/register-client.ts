import type { HttpTransport } from "@hawser/transport";
import { z } from "zod";
import type { AuthorizationServer } from "./authorization-server.ts";
import { plainCode } from "./callback-server.ts";
import { McpHttpError } from "./errors.ts";
import { parseJson, readBytes } from "./read-json.ts";

export interface RegisterClientOptions {
  readonly server: AuthorizationServer;
  readonly transport: HttpTransport;
  readonly clientName: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

const schema = z.object({
  client_id: z.string().min(1),
  token_endpoint_auth_method: z.string().optional(),
});

const maxAnswerBytes = 262_144;

/** Registers a public client (RFC 7591) and returns its id. Throws `…_LOGIN_FAILED` or `…_UNSUPPORTED`. */
export async function registerClient(options: RegisterClientOptions): Promise<string> {
  const { server, transport, clientName, redirectUri, scopes, signal } = options;
  if (server.registrationEndpoint === undefined) {
    const text = "the authorization server registers no clients; a client id must be given";
    throw new McpHttpError("ERR_MCP_HTTP_UNSUPPORTED", text, { reason: "registration" });
  }
  const answer = await post(transport, server.registrationEndpoint, signal, {
    client_name: clientName,
    redirect_uris: [redirectUri],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
    ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
  });
  const registered = schema.safeParse(answer.json);
  if (answer.status >= 300 || !registered.success) throw refused(answer.json, answer.status);
  // A secret would have to be kept; the store's format has no place for one.
  if ((registered.data.token_endpoint_auth_method ?? "none") !== "none") {
    const text = "the authorization server insists on a client with a secret";
    throw new McpHttpError("ERR_MCP_HTTP_UNSUPPORTED", text, { reason: "client-secret" });
  }
  return registered.data.client_id;
}

async function post(transport: HttpTransport, url: URL, signal: AbortSignal | undefined, json: object) {
  try {
    const response = await transport.send({
      method: "POST",
      url,
      headers: [
        ["content-type", "application/json"],
        ["accept", "application/json"],
      ],
      body: JSON.stringify(json),
      signal,
      limits: { totalTimeoutMs: 30_000, maxResponseBytes: maxAnswerBytes },
    });
    const bytes = await readBytes(response, maxAnswerBytes);
    return { status: response.status, json: bytes && parseJson(bytes) };
  } catch {
    signal?.throwIfAborted();
    // The answer may hold a registration token, and so may an error about it.
    const text = "the client could not be registered: no answer";
    throw new McpHttpError("ERR_MCP_HTTP_LOGIN_FAILED", text, { reason: "unreachable", retry: "after" });
  }
}

function refused(json: unknown, status: number): McpHttpError {
  const said = z.object({ error: z.string() }).safeParse(json);
  const reason = said.success ? plainCode(said.data.error) : "registration";
  const text = "the authorization server refused to register the client";
  return new McpHttpError("ERR_MCP_HTTP_LOGIN_FAILED", text, { reason, status });
}
