import { registerHooks } from "node:module";

/** Sends one request, with the OpenTelemetry API there or hidden, and says what was asked for and when. */
const [url = "", mode] = process.argv.slice(2);
const asked: string[] = [];
registerHooks({
  resolve: (specifier, context, next) => {
    if (!specifier.startsWith("@opentelemetry/")) return next(specifier, context);
    asked.push(specifier);
    if (mode === "absent") throw Object.assign(new Error("hidden"), { code: "MODULE_NOT_FOUND" });
    return next(specifier, context);
  },
});

const { createUndiciTransport } = await import("../../src/index.ts");
const transport = createUndiciTransport();
const askedBefore = [...asked];
const response = await transport.send({ method: "GET", url: new URL(url), headers: [] });
await response.bytes();
await (await transport.send({ method: "GET", url: new URL(url), headers: [] })).bytes();
await transport[Symbol.asyncDispose]();
process.stdout.write(`${JSON.stringify({ status: response.status, askedBefore, asked })}\n`);
