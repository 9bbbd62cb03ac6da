import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { WebSocketAuthFlags } from "../cli/command-line.ts";
import { AppServerError } from "../errors.ts";
import { verifySignedBearer } from "./verify-signed-bearer.ts";

/** Judges the `Authorization` field of an upgrade: undefined lets it in, a text is the 401 body. */
export type WebSocketAuthorizer = (authorization: string | undefined) => string | undefined;

/**
 * What guards a WebSocket listener, from its flags; undefined when no mode was asked for. Files are read once,
 * here. Throws `ERR_APP_SERVER_USAGE` for flags that do not fit together.
 */
export function createWebSocketAuthorizer(flags: WebSocketAuthFlags): WebSocketAuthorizer | undefined {
  const { mode, ...others } = flags;
  if (mode === undefined) {
    if (Object.values(others).some((value) => value !== undefined))
      throw usage("--ws-* flags need --ws-auth");
    return undefined;
  }
  if (mode === "capability-token") return capabilityToken(flags);
  if (mode === "signed-bearer-token") return signedBearerToken(flags);
  throw usage(`--ws-auth ${JSON.stringify(mode)} is not capability-token or signed-bearer-token`);
}

function capabilityToken({ tokenFile, tokenSha256, ...others }: WebSocketAuthFlags): WebSocketAuthorizer {
  if (others.sharedSecretFile ?? others.issuer ?? others.audience ?? others.maxClockSkewSeconds) {
    throw usage("capability-token takes only --ws-token-file or --ws-token-sha256");
  }
  if ((tokenFile === undefined) === (tokenSha256 === undefined)) {
    throw usage("capability-token needs --ws-token-file or --ws-token-sha256, not both");
  }
  const expected = tokenFile === undefined ? hexDigest(tokenSha256 ?? "") : digest(fileText(tokenFile));
  return (authorization) => {
    const bearer = readBearer(authorization);
    if (bearer.refusal !== undefined) return bearer.refusal;
    return timingSafeEqual(digest(bearer.value), expected) ? undefined : "invalid websocket bearer token";
  };
}

function signedBearerToken(flags: WebSocketAuthFlags): WebSocketAuthorizer {
  const { sharedSecretFile, tokenFile, tokenSha256, issuer, audience, maxClockSkewSeconds = "30" } = flags;
  if (sharedSecretFile === undefined || tokenFile !== undefined || tokenSha256 !== undefined) {
    throw usage("signed-bearer-token needs --ws-shared-secret-file and no token flag");
  }
  const secret = Buffer.from(fileText(sharedSecretFile));
  if (secret.length < 32) throw usage("the shared secret must be 32 bytes or longer");
  const maxSkewSeconds = Number(maxClockSkewSeconds);
  if (!/^\d{1,6}$/.test(maxClockSkewSeconds))
    throw usage("--ws-max-clock-skew-seconds must be a whole number");
  return (authorization) => {
    const bearer = readBearer(authorization);
    if (bearer.refusal !== undefined) return bearer.refusal;
    const nowSeconds = Date.now() / 1000;
    return verifySignedBearer(bearer.value, { secret, issuer, audience, maxSkewSeconds, nowSeconds });
  };
}

function readBearer(
  authorization: string | undefined,
): { readonly value: string; readonly refusal?: undefined } | { readonly refusal: string } {
  if (authorization === undefined) return { refusal: "missing websocket bearer token" };
  const value = /^bearer +(\S+)$/i.exec(authorization.trim())?.[1];
  return value === undefined ? { refusal: "invalid authorization header" } : { value };
}

function fileText(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    throw usage(`cannot read ${path} (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
  }
  if (text === "") throw usage(`${path} is empty`);
  return text;
}

function hexDigest(hex: string): Buffer {
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw usage("--ws-token-sha256 must be 64 hex digits");
  return Buffer.from(hex, "hex");
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function usage(text: string): AppServerError {
  return new AppServerError("ERR_APP_SERVER_USAGE", text);
}
