import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type LocalUpstream, startLocalUpstream } from "@hawser/local-upstream";
import { RpcClient } from "./rpc-client.ts";
import { ServerProcess } from "./server-process.ts";

const root = path.resolve(import.meta.dirname, "../../..");

/** Variable that hands the provider's key to the app-server, and names it in the configuration. */
const PROVIDER_KEY = "HAWSER_API_KEY";

/** Name of the MCP server in the app-server's configuration. */
export const MCP_SERVER = "local";

/** A model provider elsewhere, instead of the local one. */
export interface RealProvider {
  readonly url: URL;
  readonly model: string;
  readonly apiKey: string;
}

export interface StageOptions {
  /** Port of each server; 0 takes a free one. */
  readonly appServerPort: number;
  readonly execServerPort: number;
  readonly provider?: RealProvider | undefined;
}

/** Everything the tour plays on: the upstream in this process, the two servers in their own, a temporary home. */
export class Stage {
  readonly home: string;
  readonly upstream: LocalUpstream;
  readonly clients: RpcClient[] = [];
  #execServer: ServerProcess | undefined;
  #appServer: ServerProcess | undefined;
  readonly #bearers = {
    app: randomBytes(32).toString("base64url"),
    exec: randomBytes(32).toString("base64url"),
  };
  readonly #options: StageOptions;

  private constructor(home: string, upstream: LocalUpstream, options: StageOptions) {
    this.home = home;
    this.upstream = upstream;
    this.#options = options;
  }

  static async open(options: StageOptions): Promise<Stage> {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), "hawser-tour-"));
    const upstream = await startLocalUpstream({ quiet: true });
    const stage = new Stage(home, upstream, options);
    try {
      fs.writeFileSync(stage.#file("app.bearer"), stage.#bearers.app, { mode: 0o600 });
      fs.writeFileSync(stage.#file("exec.bearer"), stage.#bearers.exec, { mode: 0o600 });
      fs.writeFileSync(stage.#file("exec.toml"), '[affinity]\nhosts = ["localhost"]\n');
      stage.#execServer = await stage.#startExecServer();
      fs.writeFileSync(stage.#file("app.toml"), stage.#appConfig(), { mode: 0o600 });
      stage.#appServer = await stage.#startAppServer();
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  /** Whether the tour can look at the model's wire: it is the upstream of this process. */
  get providerIsLocal(): boolean {
    return this.#options.provider === undefined;
  }

  get appServer(): ServerProcess {
    if (this.#appServer === undefined) throw new Error("the app-server is not running");
    return this.#appServer;
  }

  get execServer(): ServerProcess {
    if (this.#execServer === undefined) throw new Error("the exec-server is not running");
    return this.#execServer;
  }

  get bearerFile(): string {
    return this.#file("app.bearer");
  }

  /** A new connection to the app-server, initialised under a name of its own. */
  async connect(name: string, version: string): Promise<RpcClient & { readonly userAgent: string }> {
    const client = await RpcClient.connect(this.appServer.url, this.#bearers.app);
    this.clients.push(client);
    const { userAgent } = await client.initialize(name, version);
    return Object.assign(client, { userAgent });
  }

  async killAppServer(): Promise<void> {
    await this.appServer.kill();
    this.#appServer = undefined;
  }

  async restartAppServer(): Promise<void> {
    this.#appServer = await this.#startAppServer();
  }

  async close(): Promise<void> {
    for (const client of this.clients) await client.close();
    await this.#appServer?.stop();
    await this.#execServer?.stop();
    await this.upstream[Symbol.asyncDispose]();
    fs.rmSync(this.home, { recursive: true, force: true });
  }

  #startExecServer(): Promise<ServerProcess> {
    const { execServerPort } = this.#options;
    return ServerProcess.start({
      name: "exec-server",
      args: [
        path.join(root, "apps/exec-server/dist/main.js"),
        "--listen",
        `ws://127.0.0.1:${execServerPort}`,
        "--ws-auth",
        "capability-token",
        "--ws-token-file",
        this.#file("exec.bearer"),
        "--config",
        this.#file("exec.toml"),
      ],
      env: this.#environment(),
      readyLine: /^(ws:\/\/\S+)$/,
    });
  }

  #startAppServer(): Promise<ServerProcess> {
    const { appServerPort } = this.#options;
    return ServerProcess.start({
      name: "app-server",
      args: [
        path.join(root, "apps/app-server/dist/main.js"),
        "app-server",
        "--listen",
        `ws://127.0.0.1:${appServerPort}`,
        "--ws-auth",
        "capability-token",
        "--ws-token-file",
        this.#file("app.bearer"),
        "--config",
        this.#file("app.toml"),
      ],
      env: {
        ...this.#environment(),
        HAWSER_HOME: this.#file("home"),
        CODEX_APP_SERVER_LOGIN_ISSUER: this.upstream.account.issuer.href,
        CODEX_REFRESH_TOKEN_URL_OVERRIDE: this.upstream.account.tokenUrl.href,
        CODEX_REVOKE_TOKEN_URL_OVERRIDE: this.upstream.account.revokeUrl.href,
        [PROVIDER_KEY]: this.#options.provider?.apiKey,
      },
      readyLine: /listening on:\s*(ws:\/\/\S+)/,
    });
  }

  #appConfig(): string {
    const { model, mcp, account } = this.upstream;
    const { provider } = this.#options;
    const access = provider === undefined ? "requires_openai_auth = true" : `env_key = "${PROVIDER_KEY}"`;
    return `model = ${JSON.stringify(provider?.model ?? "local-model")}
model_provider = "tour"
chatgpt_base_url = ${JSON.stringify(new URL("/backend-api", account.issuer).href)}

[model_providers.tour]
name = "Tour"
base_url = ${JSON.stringify((provider?.url ?? model.baseUrl).href)}
${access}

[[environments]]
id = "exec"
url = ${JSON.stringify(this.execServer.url)}
auth_bearer_token = ${JSON.stringify(this.#bearers.exec)}

[mcp_servers.${MCP_SERVER}]
url = ${JSON.stringify(mcp.url.href)}
environment_id = "exec"
`;
  }

  /** What a child needs and no more: no key of ours reaches it by accident. */
  #environment(): NodeJS.ProcessEnv {
    const { PATH, HOME, TERM, LANG, TMPDIR, SystemRoot, USERPROFILE } = process.env;
    const kept = { PATH, HOME, TERM, LANG, TMPDIR, SystemRoot, USERPROFILE };
    return { ...kept, SSL_CERT_FILE: this.upstream.ca.file };
  }

  #file(name: string): string {
    return path.join(this.home, name);
  }
}
