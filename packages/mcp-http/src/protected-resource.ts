import type { HttpTransport } from "@hawser/transport";
import { z } from "zod";
import { McpHttpError } from "./errors.ts";
import { fetchDocument } from "./fetch-document.ts";
import { isInsideResource, isReachableFrom } from "./resource.ts";

export interface ProtectedResource {
  readonly resource: string;
  readonly issuer: string | undefined;
  readonly scopes: readonly string[] | undefined;
}

export interface ProtectedResourceOptions {
  readonly serverUrl: URL;
  /** `resource_metadata` of the server's challenge. */
  readonly metadataUrl?: string | undefined;
  readonly transport: HttpTransport;
  readonly signal?: AbortSignal | undefined;
}

const schema = z.object({
  resource: z.string().min(1),
  authorization_servers: z.array(z.string()).optional(),
  scopes_supported: z.array(z.string()).optional(),
});

/**
 * The protected resource metadata of an MCP server (RFC 9728): where its challenge says, else below its own well-known
 * paths. Undefined when there is none. Metadata of another resource is refused: a token for it would be sent here.
 */
export async function protectedResourceMetadata(
  options: ProtectedResourceOptions,
): Promise<ProtectedResource | undefined> {
  const { serverUrl, transport, signal } = options;
  for (const url of candidates(options)) {
    const found = schema.safeParse(await fetchDocument(url, { transport, signal }));
    if (!found.success) continue;
    const { resource, authorization_servers, scopes_supported } = found.data;
    if (!URL.canParse(resource) || !isInsideResource(new URL(resource), serverUrl)) {
      const text = "the server's metadata describes another resource";
      throw new McpHttpError("ERR_MCP_HTTP_DISCOVERY", text, { reason: "resource-mismatch" });
    }
    return { resource, issuer: authorization_servers?.[0], scopes: scopes_supported };
  }
  return undefined;
}

function candidates({ serverUrl, metadataUrl }: ProtectedResourceOptions): readonly URL[] {
  const wellKnown = "/.well-known/oauth-protected-resource";
  const path = serverUrl.pathname === "/" ? "" : serverUrl.pathname;
  const named = metadataUrl !== undefined && URL.canParse(metadataUrl) ? [new URL(metadataUrl)] : [];
  return [
    ...named.filter((url) => isReachableFrom(serverUrl, url)),
    new URL(`${wellKnown}${path}`, serverUrl),
    ...(path === "" ? [] : [new URL(wellKnown, serverUrl)]),
  ];
}
