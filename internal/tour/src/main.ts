import { parseArgs } from "node:util";
import { Narrator } from "./narrator.ts";
import { type RealProvider, Stage } from "./stage.ts";
import { takeTour } from "./take-tour.ts";

const HELP = `usage: npm start -- [--once] [--app-server-port N] [--exec-server-port N]
                     [--upstream URL --model NAME]

Starts a whole provider on loopback, the exec-server and the app-server, takes the tour as real clients and
prints what was seen on the wire. Then everything stays up until Ctrl-C.

  --once                exit after the tour: 0 only if every step held
  --app-server-port N   port of the app-server (default: a free one)
  --exec-server-port N  port of the exec-server (default: a free one)
  --upstream URL        a Responses API elsewhere, its key in HAWSER_API_KEY; the tour is then one turn
  --model NAME          the model to ask for there
`;

const narrator = new Narrator();
let stage: Stage | undefined;
let closing: Promise<void> | undefined;

/** Ends every process and removes the temporary home; once, whoever asks. */
function close(): Promise<void> {
  closing ??= stage?.close() ?? Promise.resolve();
  return closing;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    void close().then(() => process.exit(signal === "SIGINT" ? 130 : 143));
  });
}

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  if (options.help) {
    narrator.say(HELP);
    return 0;
  }
  try {
    stage = await Stage.open(options);
  } catch (error) {
    narrator.say(`hawser: could not start: ${messageOf(error)}`);
    await close();
    return 1;
  }
  narrator.say(
    `upstream: ${stage.upstream.model.baseUrl.href} (model), ${stage.upstream.mcp.url.href} (MCP)`,
  );
  narrator.say(`exec-server: ${stage.execServer.url}`);
  narrator.say(`app-server: ${stage.appServer.url}`);
  try {
    await takeTour(stage, narrator);
  } catch (error) {
    narrator.say(`\nhawser: ${messageOf(error)}`);
    await close();
    return 1;
  }
  narrator.say("\nEvery step held.");
  if (options.once) {
    await close();
    return 0;
  }
  narrator.say(`
Everything stays up until Ctrl-C. Connect a client:
  app-server   ${stage.appServer.url}
  bearer       in ${stage.bearerFile}
  for example  HAWSER_BEARER=$(cat ${stage.bearerFile}) codex --remote ${stage.appServer.url} --remote-auth-token-env HAWSER_BEARER`);
  return await new Promise<number>(() => undefined); // a signal ends it
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        "app-server-port": { type: "string", default: "0" },
        "exec-server-port": { type: "string", default: "0" },
        upstream: { type: "string" },
        model: { type: "string" },
      },
    });
    return {
      once: values.once,
      help: values.help,
      appServerPort: port(values["app-server-port"]),
      execServerPort: port(values["exec-server-port"]),
      provider: values.upstream === undefined ? undefined : provider(values.upstream, values.model),
    };
  } catch (error) {
    narrator.say(`hawser: ${messageOf(error)}`);
    return undefined;
  }
}

function provider(upstream: string, model: string | undefined): RealProvider {
  const apiKey = process.env["HAWSER_API_KEY"];
  if (!URL.canParse(upstream)) throw new Error(`--upstream ${JSON.stringify(upstream)} is not a URL`);
  if (model === undefined) throw new Error("--upstream needs --model NAME");
  if (apiKey === undefined || apiKey === "")
    throw new Error("--upstream needs the provider's key in HAWSER_API_KEY");
  return { url: new URL(upstream), model, apiKey };
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new Error(`${JSON.stringify(text)} is not a port`);
  return value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
