import type { HttpRequest } from "@hawser/transport";
import { Client } from "@modelcontextprotocol/client";
import { type BearerSeam, createBearerSeam } from "./bearer-seam.ts";
import { CallTransport } from "./call-transport.ts";
import type { McpClientOptions } from "./create-mcp-client.ts";
import { callRequestOptions, Generation } from "./generation.ts";
import { McpCall } from "./mcp-call.ts";
import { repeatTransient } from "./repeat-transient.ts";

/**
 * Opens a session: initialize, up to three times after transient faults, each time on a fresh transport. It belongs to
 * nobody in particular and has its own deadline; `closing` ends it.
 */
export async function openGeneration(options: McpClientOptions, closing: AbortSignal): Promise<Generation> {
  const { session, transport, headers, connectTimeoutMs = 30_000, recoveryWaitMs = 30_000 } = options;
  const url = new URL(options.url);
  const seam = createBearerSeam({ transport, resource: url, session, headers, recoveryWaitMs });

  await seam.warm(AbortSignal.any([closing, AbortSignal.timeout(recoveryWaitMs)]));

  const call = new McpCall({ label: "initialize", timeoutMs: connectTimeoutMs, signal: closing });
  try {
    return await repeatTransient(() => connect(options, url, seam, call), call.signal);
  } catch (error) {
    throw closing.aborted ? closing.reason : (call.failure ?? error);
  } finally {
    call.end();
  }
}

async function connect(
  options: McpClientOptions,
  url: URL,
  seam: BearerSeam,
  call: McpCall,
): Promise<Generation> {
  const { clientInfo, capabilities = {}, configure, session, maxResponseBytes = 67_108_864 } = options;
  const calls = new Map([["open", call]]);
  const client = new Client(clientInfo, { capabilities });
  configure?.(client);
  const transport = new CallTransport({
    url,
    seam,
    maxResponseBytes,
    call: (id) => calls.get(id),
    redact: (text) => withoutToken(text, session?.snapshot()?.view.accessToken),
    onSessionExpired: () => generation.markLost(),
  });
  const terminate = (ended: CallTransport) => endSession(options, url, seam, ended);
  const generation = new Generation({ client, transport, calls, terminate });
  try {
    await call.waitFor(client.connect(transport, callRequestOptions(call, "open")));
  } catch (error) {
    // The session may exist although the handshake failed: it is ended in the background.
    generation.retire().catch(() => {});
    throw error;
  } finally {
    calls.delete("open");
  }
  return generation;
}

/** DELETE for whoever holds a session id; a server may refuse it (405) or not know the session (404). */
async function endSession(
  { closeTimeoutMs = 5_000 }: McpClientOptions,
  url: URL,
  seam: BearerSeam,
  transport: CallTransport,
): Promise<void> {
  const { sessionId, protocolVersion } = transport;
  if (sessionId === undefined) return;
  const request: HttpRequest = {
    method: "DELETE",
    url,
    headers: [
      ["mcp-session-id", sessionId],
      ...(protocolVersion === undefined ? [] : [["mcp-protocol-version", protocolVersion] as const]),
    ],
    signal: AbortSignal.timeout(closeTimeoutMs),
  };
  try {
    const response = await seam.exchange(request);
    await response.cancel();
  } catch {
    // Nobody waits for the answer to a farewell; the server forgets the session by itself.
  }
}

function withoutToken(text: string, token: string | undefined): string {
  return token === undefined || token === "" ? text : text.replaceAll(token, "[token]");
}
