#!/usr/bin/env node
import { readFileSync } from "node:fs";
import process from "node:process";
import { type ChannelClose, jsonLinesChannel } from "@hawser/json-rpc";
import { isTransportError } from "@hawser/transport";
import pino from "pino";
import { type Command, HELP_TEXT, readCommandLine } from "./cli/read-command-line.ts";
import { readConfig } from "./cli/read-config.ts";
import { composeExecServer } from "./compose.ts";
import { StartError } from "./errors.ts";
import { createBearerCheck } from "./listen/bearer-check.ts";
import { listenWebSocket } from "./listen/listen-web-socket.ts";

/** A shutdown that takes longer is cut short. */
const SHUTDOWN_TIMEOUT_MS = 5_000;

/** A stranger on a socket who has not shaken hands by then is sent away. */
const HANDSHAKE_TIMEOUT_MS = 30_000;

const version: string = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;

async function serve(command: Extract<Command, { kind: "serve" }>): Promise<void> {
  const { listen, configFile, maxConcurrentRequests, allowedHosts } = command;
  const logger = pino({ base: null }, pino.destination({ fd: 2, sync: true }));
  const config = await readConfig(configFile);
  const stop = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
    process.on(signal, () => stop.resolve(signal));

  const compose = () =>
    composeExecServer({
      config,
      env: { ...process.env },
      cwd: process.cwd(),
      platform: process.platform,
      version,
      maxConcurrentRequests,
      logger,
    });

  if (listen.kind === "stdio") {
    const server = compose();
    const channel = jsonLinesChannel(process.stdin, process.stdout);
    // The end of stdin is the client leaving: what it asked is answered, then everything it started ends.
    void server.serve(channel);
    const end = await Promise.race([channel.closed, stop.promise.then(() => channel.close())]);
    await server.close();
    // A pipe has no close frame: whoever sent too much can learn it only from here.
    if (end?.code !== undefined && end.code > 1_001) throw disconnected(end);
    return;
  }

  const checkBearer = await createBearerCheck(listen.auth);
  if (listen.auth.kind === "none")
    logger.warn("listening without auth: whoever reaches the port can run commands");
  const server = compose();
  let connections = 0;
  const listener = await listenWebSocket({
    host: listen.host,
    port: listen.port,
    checkBearer,
    allowedHosts,
    onConnection: (channel) => {
      const connection = ++connections;
      logger.info({ connection }, "a client connected");
      void server
        .serve(channel, { handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS })
        .then(() => logger.info({ connection }, "a client is gone"));
    },
  });
  process.stdout.write(`${listener.url}\n`);
  const signal = await stop.promise;
  logger.info({ signal }, "shutting down");
  setTimeout(() => process.exit(1), SHUTDOWN_TIMEOUT_MS).unref();
  await Promise.all([server.close(), listener.close()]);
}

function disconnected({ code, reason }: ChannelClose): StartError {
  return new StartError(
    "ERR_EXEC_SERVER_CLIENT_DISCONNECTED",
    `the client was disconnected (${code}): ${reason}`,
  );
}

async function main(): Promise<number> {
  const command = readCommandLine(process.argv.slice(2));
  switch (command.kind) {
    case "help":
      process.stdout.write(HELP_TEXT);
      return 0;
    case "version":
      process.stdout.write(`hawser-exec-server ${version}\n`);
      return 0;
    case "serve":
      await serve(command);
      return 0;
  }
}

// Sockets and children that are still winding down must not keep a finished server alive.
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const isKnown = error instanceof StartError || isTransportError(error);
    const text = isKnown ? error.message : `unexpected: ${String(error)}`;
    process.stderr.write(`hawser-exec-server: ${text}\n`);
    process.exit(error instanceof StartError && error.code === "ERR_EXEC_SERVER_USAGE" ? 2 : 1);
  },
);
