import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { AuthOptions } from "../cli/read-command-line.ts";
import { StartError } from "../errors.ts";
import { verifySignedBearer } from "./verify-signed-bearer.ts";

/** Says why a request may not come in, as the body of a 401; `undefined` lets it in. */
export type BearerCheck = (authorization: string | undefined) => string | undefined;

/** Reads the secret the options name, once, and makes the check. Throws `StartError`. */
export async function createBearerCheck(options: AuthOptions): Promise<BearerCheck> {
  switch (options.kind) {
    case "none":
      return () => undefined;
    case "capability": {
      const expected =
        "tokenFile" in options
          ? sha256(await readSecret(options.tokenFile, 1))
          : Buffer.from(options.tokenSha256, "hex");
      // Hashes have one length: comparing them tells nothing about the secret's.
      return withBearer((bearer) =>
        timingSafeEqual(sha256(Buffer.from(bearer)), expected) ? undefined : "invalid websocket bearer token",
      );
    }
    case "signed": {
      const secret = await readSecret(options.secretFile, 32);
      const { issuer, audience, maxClockSkewSeconds } = options;
      return withBearer((bearer) =>
        verifySignedBearer(bearer, { secret, issuer, audience, maxClockSkewSeconds }),
      );
    }
  }
}

function withBearer(check: (bearer: string) => string | undefined): BearerCheck {
  return (authorization) => {
    if (authorization === undefined) return "missing websocket bearer token";
    const bearer = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
    return bearer === undefined ? "invalid authorization header" : check(bearer);
  };
}

async function readSecret(file: string, minBytes: number): Promise<Buffer> {
  let text: string;
  try {
    text = (await readFile(file, "utf8")).trim();
  } catch (error) {
    const { code = "unreadable" } = error as NodeJS.ErrnoException;
    throw new StartError("ERR_EXEC_SERVER_CONFIG", `cannot read ${JSON.stringify(file)}: ${code}`);
  }
  const secret = Buffer.from(text);
  if (secret.byteLength < minBytes) {
    throw new StartError(
      "ERR_EXEC_SERVER_CONFIG",
      `${JSON.stringify(file)} holds ${secret.byteLength} bytes; ${minBytes} or more are needed`,
    );
  }
  return secret;
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}
