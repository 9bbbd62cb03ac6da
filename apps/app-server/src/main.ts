#!/usr/bin/env node
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { type CommandLine, parseCommandLine } from "./cli/command-line.ts";
import { helpText } from "./cli/help-text.ts";
import { compose } from "./compose.ts";
import { parseConfig } from "./config/parse-config.ts";
import { AppServerError, isAppServerError } from "./errors.ts";
import { isLoopback, type ListenAddress, parseListenAddress } from "./listeners/listen-address.ts";
import { createWebSocketAuthorizer, type WebSocketAuthorizer } from "./listeners/web-socket-auth.ts";
import { type RunningAppServer, runAppServer } from "./run-app-server.ts";

const shutdownLimitMs = 10_000;

function readVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return String((JSON.parse(text) as { version: unknown }).version);
}

async function serve(line: Extract<CommandLine, { command: "serve" }>): Promise<void> {
  const env = { ...process.env };
  const home = env["HAWSER_HOME"] || join(homedir(), ".hawser");
  const address = parseListenAddress(line.listen, { defaultSocketPath: join(home, "app-server.sock") });
  const authorize = guard(line, address);
  const config = parseConfig(readConfigFile(line.configFile ?? join(home, "config.toml"), line.configFile));
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const log = pino(
    { level: env["HAWSER_LOG"] ?? "warn", base: null },
    pino.destination({ dest: 2, sync: true }),
  );
  const productVersion = readVersion();
  const server = await runAppServer({
    composition: compose({
      ...{ config, env, home, productVersion },
      onIgnoredOverride: (variable) => log.error({ variable }, "not a name: ignored"),
    }),
    stdio: { input: process.stdin, output: process.stdout },
    cwd: process.cwd(),
    ...{ config, address, authorize, home, productVersion, log },
  });
  for (const text of server.banner) process.stderr.write(`${text}\n`);
  const why = await stopped(server);
  if (why !== undefined) throw new AppServerError("ERR_APP_SERVER_CLIENT_DISCONNECTED", why);
}

/** A listener that anybody on the network, or on this machine, could use needs a token or an explicit word. */
function guard(
  line: Extract<CommandLine, { command: "serve" }>,
  address: ListenAddress,
): WebSocketAuthorizer | undefined {
  const authorize = createWebSocketAuthorizer(line.auth);
  if (address.kind !== "ws") {
    if (authorize === undefined) return undefined;
    throw new AppServerError("ERR_APP_SERVER_USAGE", "--ws-auth is for ws:// listeners");
  }
  if (authorize !== undefined) return authorize;
  if (!isLoopback(address.host)) {
    throw new AppServerError(
      "ERR_APP_SERVER_USAGE",
      `refusing to start non-loopback websocket listener ${address.host}:${address.port} without auth; configure --ws-auth`,
    );
  }
  if (line.insecureNoAuth) return undefined;
  throw new AppServerError(
    "ERR_APP_SERVER_USAGE",
    "a ws:// listener needs --ws-auth capability-token --ws-token-file FILE, or --insecure-no-auth on loopback",
  );
}

function readConfigFile(path: string, asked: string | undefined): string {
  if (asked === undefined && !existsSync(path)) return "";
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new AppServerError("ERR_APP_SERVER_CONFIG", `cannot read ${path} (${code})`);
  }
}

/**
 * Resolves when the server has stopped: by a signal, or because its only client left, with the reason if it had to. A
 * second signal ends it now.
 */
async function stopped(server: RunningAppServer): Promise<string | undefined> {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  let signals = 0;
  const onSignal = (): void => {
    signals += 1;
    if (signals > 1) process.exit(1);
    resolve();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  const why = await Promise.race([asked, server.ended]);
  const limit = setTimeout(() => process.exit(1), shutdownLimitMs);
  await server.stop();
  clearTimeout(limit);
  return why ?? undefined;
}

async function main(): Promise<void> {
  const line = parseCommandLine(process.argv.slice(2));
  if (line.command === "help") {
    process.stdout.write(helpText);
  } else if (line.command === "version") {
    process.stdout.write(`${readVersion()}\n`);
  } else {
    await serve(line);
    process.exit(0);
  }
}

main().catch((error: unknown) => {
  // What a room refuses at the start is explained by its text; anything else is a fault worth its stack.
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!(error instanceof Error) || !/^ERR_[A-Z]+_/.test(code) || code.startsWith("ERR_INTERNAL")) throw error;
  process.stderr.write(`hawser: ${error.message.split("\n")[0]}\n`);
  // Answers that nobody reads must not keep it alive.
  process.exit(isAppServerError(error) && error.code === "ERR_APP_SERVER_USAGE" ? 2 : 1);
});
