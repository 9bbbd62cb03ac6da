import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LocalUpstream } from "@hawser/local-upstream";
import { temporaryHome } from "@hawser/test-kit";
import { AppClient } from "./app-client.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** Halves the start of each child: the sources are stripped of their types once. Keyed by content. */
export const compileCache: string = join(tmpdir(), "hawser-compile-cache");

export interface StartOptions {
  /** Its model, account and MCP server are configured. */
  readonly upstream?: LocalUpstream | undefined;
  /** Added to the configuration. */
  readonly config?: string | undefined;
  /** The MCP server is reached through this exec-server. */
  readonly execServer?: { readonly url: string; readonly bearer: string } | undefined;
  /** @defaultValue a free port of 127.0.0.1 without authentication */
  readonly listen?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** @defaultValue 0 */
  readonly requestMaxRetries?: number | undefined;
}

export interface StartedAppServer extends AsyncDisposable {
  readonly url: string;
  readonly home: string;
  readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  stderr(): string;
  connect(name?: string, version?: string, capabilities?: object): Promise<AppClient>;
  /** Everything under the home, as text, by path. */
  files(): Promise<Map<string, string>>;
}

/** The real program, from its sources, in a process of its own. */
export async function startAppServer(options: StartOptions = {}): Promise<StartedAppServer> {
  const { upstream, config = "", env = {} } = options;
  const { listen = ["--listen", "ws://127.0.0.1:0", "--insecure-no-auth"] } = options;
  const home = await temporaryHome();
  const configFile = await home.write("config.toml", `${upstreamConfig(options)}\n${config}`);
  const child = spawn(
    process.execPath,
    [
      ...["--conditions=hawser-source", "--disable-warning=ExperimentalWarning", main, "app-server"],
      ...[...listen, "--config", configFile],
    ],
    {
      env: { ...environment(upstream), HAWSER_HOME: home.file("home"), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let stderr = "";
  const url = Promise.withResolvers<string>();
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    const found = /listening on: (\S+)\n/.exec(stderr)?.[1];
    if (found !== undefined) url.resolve(found);
  });
  const exited = once(child, "close").then(([code, signal]) => ({ code, signal }));
  void exited.then(() => url.reject(new Error(`the app-server ended: ${stderr}`)));
  const clients: AppClient[] = [];
  const started = {
    home: home.file("home"),
    child,
    exited,
    stderr: () => stderr,
    async connect(name?: string, version?: string, capabilities?: object) {
      const client = await AppClient.connect(await url.promise);
      clients.push(client);
      if (name !== undefined) await client.initialize(name, version, capabilities);
      return client;
    },
    files: () => readAll(home.path),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
      await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
      await home.remove();
    },
  };
  try {
    return { ...started, url: await url.promise };
  } catch (error) {
    await started[Symbol.asyncDispose]();
    throw error;
  }
}

function upstreamConfig({ upstream, execServer, requestMaxRetries = 0 }: StartOptions): string {
  if (upstream === undefined) return "";
  const toml = JSON.stringify;
  return `model = "local-model"
model_provider = "local"
chatgpt_base_url = ${toml(upstream.account.backendUrl.href)}

[model_providers.local]
base_url = ${toml(upstream.model.baseUrl.href)}
requires_openai_auth = true
request_max_retries = ${requestMaxRetries}

[mcp_servers.secure]
url = ${toml(upstream.mcp.url.href)}
${execServer === undefined ? "" : 'environment_id = "exec"'}

${
  execServer === undefined
    ? '[affinity]\nhosts = ["localhost"]'
    : `[[environments]]
id = "exec"
url = ${toml(execServer.url)}
auth_bearer_token = ${toml(execServer.bearer)}`
}
`;
}

function environment(upstream: LocalUpstream | undefined): Record<string, string | undefined> {
  const { PATH, HOME } = process.env;
  const started = { PATH, HOME, NODE_COMPILE_CACHE: compileCache };
  if (upstream === undefined) return started;
  const { account, ca } = upstream;
  return {
    ...{ ...started, SSL_CERT_FILE: ca.file, TERM: "xterm" },
    CODEX_APP_SERVER_LOGIN_ISSUER: account.issuer.href,
    CODEX_REFRESH_TOKEN_URL_OVERRIDE: account.tokenUrl.href,
    CODEX_REVOKE_TOKEN_URL_OVERRIDE: account.revokeUrl.href,
  };
}

async function readAll(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      files.map(async (file): Promise<[string, string]> => [file, await readFile(file, "utf8")]),
    ),
  );
}
