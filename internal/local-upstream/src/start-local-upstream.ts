import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AccountUpstream, startAccountUpstream } from "./account-upstream.ts";
import { createLoopbackCertificate } from "./loopback-certificate.ts";
import { type McpUpstream, startMcpUpstream } from "./mcp-upstream.ts";
import { type ModelUpstream, startModelUpstream } from "./model-upstream.ts";
import { createSeenLog, type SeenRequest, type WaitForOptions } from "./seen-log.ts";

export interface LocalUpstreamOptions {
  /** `false` prints a line to stderr for each request when it is answered, without secrets. @defaultValue true */
  quiet?: boolean | undefined;
  /** Lifetime of access tokens, of the account's and of MCP's. @defaultValue 3600 */
  accessTokenTtlSeconds?: number | undefined;
}

export interface LocalUpstream extends AsyncDisposable {
  /** The authority of the TLS edge: PEM text, and a file with it that lives as long as the upstream. */
  readonly ca: { readonly pem: string; readonly file: string };
  /** Everything that arrived at any of its servers, in order. Printing one shows no secret. */
  readonly seen: readonly SeenRequest[];
  /**
   * Resolves with the first request for which `predicate` holds, among those seen and those to come; asked again when
   * a request is answered. Rejects on disposal.
   */
  waitFor(predicate: (seen: SeenRequest) => boolean, options?: WaitForOptions): Promise<SeenRequest>;
  readonly mcp: McpUpstream;
  readonly account: AccountUpstream;
  readonly model: ModelUpstream;
  /** The same as disposal, for files that Node 22 runs unbuilt. */
  close(): Promise<void>;
}

/** Starts a whole provider on free ports of 127.0.0.1: an account, a model, and an OAuth-protected MCP server. */
export async function startLocalUpstream(options: LocalUpstreamOptions = {}): Promise<LocalUpstream> {
  const { quiet = true, accessTokenTtlSeconds = 3600 } = options;
  const log = createSeenLog({ onAnswered: quiet ? undefined : printLine });
  const stopped: (() => Promise<void>)[] = [];
  const close = async () => {
    log.close();
    await Promise.all(stopped.splice(0).map((stop) => stop()));
  };
  try {
    const directory = await mkdtemp(join(tmpdir(), "hawser-upstream-"));
    stopped.push(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
    const certificate = await createLoopbackCertificate();
    const caFile = join(directory, "ca.pem");
    await writeFile(caFile, certificate.caPem);

    const startedMcp = await startMcpUpstream({ log, certificate, accessTokenTtlSeconds });
    stopped.push(() => startedMcp.close());
    const apiKeys: { add?: (key: string) => void } = {};
    const startedAccount = await startAccountUpstream({
      log,
      accessTokenTtlSeconds,
      onApiKey: (key) => apiKeys.add?.(key),
    });
    stopped.push(() => startedAccount.close());
    const { account } = startedAccount;
    const startedModel = await startModelUpstream({
      log,
      isAccountTokenAccepted: (accessToken) => account.isAccepted(accessToken),
    });
    stopped.push(() => startedModel.close());
    apiKeys.add = (key) => startedModel.model.apiKeys.add(key);

    return {
      ca: { pem: certificate.caPem, file: caFile },
      seen: log.seen,
      waitFor: (predicate, waitOptions) => log.waitFor(predicate, waitOptions),
      mcp: startedMcp.mcp,
      account,
      model: startedModel.model,
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function printLine(seen: SeenRequest): void {
  const { server, method, path, rpcMethod, grant, credential, status, replica } = seen;
  const parts = [server, method, path, rpcMethod, grant, credential, replica, `-> ${status}`];
  process.stderr.write(`upstream: ${parts.filter((part) => part !== undefined).join(" ")}\n`);
}
