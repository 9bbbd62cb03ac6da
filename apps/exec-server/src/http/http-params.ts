import { RpcError } from "@hawser/json-rpc";
import type { HeaderList, HttpRequest } from "@hawser/transport";
import { z } from "zod";
import { base64Bytes } from "../connection/base64-bytes.ts";

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/; // RFC 9110 5.6.2
const FIELD_VALUE = /^[^\0\r\n]*$/; // RFC 9110 5.5

const headerShape = z.object({
  name: z.string().regex(FIELD_NAME, "invalid http/request header name"),
  value: z.string().regex(FIELD_VALUE, "invalid http/request header value"),
  valueEnvVar: z.string().nullish(),
});

/** `http/request`. The last member is an addition of this server. */
export const httpParams = z.object({
  method: z.string().regex(FIELD_NAME, "invalid http/request method"),
  url: z.string().transform((text, context): URL => {
    const url = URL.parse(text);
    if (url === null) return refused(context, "invalid http/request url");
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      return refused(context, "http/request supports http and https URLs only");
    }
    if (url.username !== "" || url.password !== "") {
      return refused(context, "http/request refuses userinfo in the url: send an authorization header");
    }
    return url;
  }),
  headers: z.array(headerShape).max(1_000).nullish(),
  bodyBase64: base64Bytes.nullish(),
  timeoutMs: z.number().int().nonnegative().nullish(),
  redirectPolicy: z.enum(["follow", "stop"]).nullish(),
  requestId: z.string().max(1_024),
  streamResponse: z.boolean().nullish(),
  responseWindowBytes: z.number().int().positive().nullish(),
});

export type HttpParams = z.output<typeof httpParams>;

/** Belongs to one connection or to the framing of the body: ours to set, not the caller's. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "keep-alive", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
]);

/** The request as the transport takes it. `env` is where `valueEnvVar` looks. Throws `RpcError`. */
export function toHttpRequest(
  params: HttpParams,
  env: Readonly<Record<string, string | undefined>>,
): Pick<HttpRequest, "method" | "url" | "headers" | "body"> {
  const { method, url, bodyBase64 } = params;
  const headers: [string, string][] = [];
  for (const { name, value, valueEnvVar } of params.headers ?? []) {
    if (HOP_BY_HOP.has(name.toLowerCase())) continue;
    headers.push([name, value + environmentValue(name, valueEnvVar ?? undefined, env)]);
  }
  if (!headers.some(([name]) => name.toLowerCase() === "accept")) headers.push(["accept", "*/*"]);
  return { method, url, headers, body: bodyBase64 ?? undefined };
}

/** The headers whose values come from this machine's environment: secrets of the origin they were meant for. */
export function environmentHeaders(params: HttpParams): readonly string[] {
  const headers = params.headers ?? [];
  return headers.filter(({ valueEnvVar }) => typeof valueEnvVar === "string").map(({ name }) => name);
}

/** Response fields as the protocol carries them: values beyond ASCII have no form there and are left out. */
export function toHeaderParams(headers: HeaderList): readonly { name: string; value: string }[] {
  return headers
    .filter(([, value]) => /^[\t\x20-\x7e]*$/.test(value))
    .map(([name, value]) => ({ name: name.toLowerCase(), value }));
}

function environmentValue(
  name: string,
  variable: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  if (variable === undefined) return "";
  const value = Object.hasOwn(env, variable) ? env[variable] : undefined;
  if (value === undefined || value === "") {
    throw new RpcError(
      -32602,
      `http/request header ${name} requires executor environment variable ${variable}`,
    );
  }
  if (!FIELD_VALUE.test(value)) throw new RpcError(-32602, `${variable} holds no valid header value`);
  return value;
}

function refused(context: z.core.$RefinementCtx, message: string): never {
  context.issues.push({ code: "custom", message, input: undefined });
  return z.NEVER;
}
