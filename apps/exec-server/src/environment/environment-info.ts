import { homedir, tmpdir } from "node:os";
import { basename } from "node:path";
import { toPathUri } from "../connection/path-uri.ts";

/** What a client learns about the machine it works on. Paths are `file:` URIs, the shell's path is native. */
export interface EnvironmentInfo {
  readonly shell: { readonly name: string; readonly path: string };
  readonly executorVersion: string;
  readonly cwd: string;
  readonly userHomeDir: string;
  readonly platformOs: string;
  readonly temporaryDirectories: readonly string[];
  readonly tempDir: string;
  readonly capabilities: Readonly<Record<string, boolean>>;
}

/** Features beyond the base protocol. What is not listed is not supported; the last two are additions of this server. */
const CAPABILITIES = {
  httpHeaderEnvVars: true,
  /** `http/request/cancel {requestId}` ends a request or its streamed body. */
  httpRequestCancel: true,
  /** `responseWindowBytes` in `http/request`, and `http/request/window {requestId, bytes}` to open it further. */
  httpResponseWindow: true,
} as const;

/** Describes this machine once, at start. */
export function environmentInfo(options: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  readonly platform: NodeJS.Platform;
}): EnvironmentInfo {
  const { env, cwd, version, platform } = options;
  const shell = env["SHELL"] ?? (platform === "win32" ? (env["ComSpec"] ?? "cmd.exe") : "/bin/sh");
  return {
    shell: { name: basename(shell).replace(/\.exe$/i, ""), path: shell },
    executorVersion: version,
    cwd: toPathUri(cwd),
    userHomeDir: toPathUri(homedir()),
    platformOs: OS_NAMES.get(platform) ?? platform,
    temporaryDirectories: env["TMPDIR"] === undefined ? [] : [toPathUri(env["TMPDIR"])],
    tempDir: toPathUri(tmpdir()),
    capabilities: CAPABILITIES,
  };
}

const OS_NAMES: ReadonlyMap<string, string> = new Map([
  ["darwin", "macos"],
  ["win32", "windows"],
]);
