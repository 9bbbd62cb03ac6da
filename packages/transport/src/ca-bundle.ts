import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { getCACertificates } from "node:tls";
import { TransportError } from "./errors.ts";
import { pemCertificates } from "./pem-certificates.ts";
import type { Env } from "./proxy-settings.ts";

export interface CaOptions {
  /** Further certificate authorities as PEM text, added to the ones Node trusts. @defaultValue none */
  readonly ca?: string | readonly string[] | undefined;
  /**
   * Environment variables that name PEM bundles, or folders of them; all that are set are added to the authorities
   * Node trusts. A bundle that cannot be used is an error that names the variable and the file.
   *
   * @defaultValue none
   */
  readonly caVariables?: readonly string[] | undefined;
}

/** The authorities that Node trusts and the named ones, read now; undefined when none are named. */
export function trustedAuthorities(options: CaOptions, env: Env): readonly string[] | undefined {
  const { ca = [], caVariables = [] } = options;
  const added = new Set<string>();
  for (const text of typeof ca === "string" ? [ca] : ca) {
    for (const certificate of usable(text, "the option ca")) added.add(certificate);
  }
  for (const name of caVariables) {
    const value = env[name];
    if (value === undefined || value === "") continue;
    for (const certificate of bundlesOf(name, value)) added.add(certificate);
  }
  if (added.size === 0) return undefined;
  return [...getCACertificates("default"), ...added];
}

function bundlesOf(variable: string, value: string): string[] {
  const named = isThere(value) ? [value] : value.split(delimiter).filter((path) => path !== "");
  return named.flatMap((path) => {
    const stat = attempt(`${variable}: cannot read ${JSON.stringify(path)}`, () => statSync(path));
    return stat.isDirectory() ? fromFolder(variable, path) : fromFile(variable, path);
  });
}

function fromFile(variable: string, path: string): string[] {
  const where = `${variable}: ${JSON.stringify(path)}`;
  return usable(
    attempt(`${variable}: cannot read ${JSON.stringify(path)}`, () => readBounded(path)),
    where,
  );
}

/** A folder of certificates also holds other things; only a folder without any certificate is an error. */
function fromFolder(variable: string, folder: string): string[] {
  const where = `${variable}: ${JSON.stringify(folder)}`;
  const found = attempt(`${variable}: cannot read ${JSON.stringify(folder)}`, () =>
    readdirSync(folder),
  ).flatMap((name) => {
    const path = join(folder, name);
    if (!isThere(path) || !statSync(path).isFile()) return [];
    const text = attempt(`${variable}: cannot read ${JSON.stringify(path)}`, () => readBounded(path));
    return text.includes("-----BEGIN ") && text.includes("CERTIFICATE-----")
      ? usable(text, `${variable}: ${JSON.stringify(path)}`)
      : [];
  });
  if (found.length === 0) throw badCa(`${where} holds no certificate`);
  return found;
}

function usable(text: string, where: string): string[] {
  const certificates = pemCertificates(text);
  if (certificates.length === 0) throw badCa(`${where} holds no certificate`);
  for (const [index, certificate] of certificates.entries()) {
    attempt(
      `${where}: certificate number ${index + 1} cannot be read`,
      () => new X509Certificate(certificate),
    );
  }
  return certificates;
}

const MAX_BUNDLE_BYTES = 16 * 1024 * 1024;

function readBounded(path: string): string {
  if (statSync(path).size > MAX_BUNDLE_BYTES) throw new Error("larger than 16 MiB");
  return readFileSync(path, "latin1");
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function attempt<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw badCa(`${what}: ${error instanceof Error ? error.message : "unknown fault"}`);
  }
}

function badCa(message: string): TransportError {
  return new TransportError("ERR_TRANSPORT_BAD_CA", message);
}
