import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { type CaOptions, trustedAuthorities } from "./ca-bundle.ts";
import { TransportError } from "./errors.ts";
import type { Env } from "./proxy-settings.ts";

/** A certificate that tells a server who is connecting (mutual TLS). */
export interface ClientCertificate {
  /** PEM: the certificate, and after it those that lead to its authority. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** Of an encrypted key. */
  readonly passphrase?: string | undefined;
}

export interface TlsOptions extends CaOptions {
  /** Shown to every server that asks for one, never to a proxy. @defaultValue none */
  readonly clientCertificate?: ClientCertificate | undefined;
}

export interface TlsContexts {
  /** Undefined where Node's own will do. */
  readonly forServers: SecureContext | undefined;
  readonly forProxies: SecureContext | undefined;
}

/**
 * Made once, because reading some 150 certificates for each connection takes longer than the connection. Throws
 * `ERR_TRANSPORT_BAD_CA` or `ERR_TRANSPORT_BAD_CERTIFICATE`.
 */
export function tlsContexts(options: TlsOptions, env: Env): TlsContexts {
  const authorities = trustedAuthorities(options, env);
  const trust = authorities === undefined ? {} : { ca: [...authorities] };
  const forProxies = authorities === undefined ? undefined : createSecureContext(trust);
  const { clientCertificate } = options;
  if (clientCertificate === undefined) return { forServers: forProxies, forProxies };
  return { forServers: identified(trust, clientCertificate), forProxies };
}

function identified(trust: { ca?: string[] }, { cert, key, passphrase }: ClientCertificate): SecureContext {
  const secret = passphrase === undefined ? {} : { passphrase };
  const certificate = attempt("the client certificate cannot be read", () => new X509Certificate(cert));
  const privateKey = attempt("the key of the client certificate cannot be read", () =>
    createPrivateKey({ key, ...secret }),
  );
  if (!certificate.checkPrivateKey(privateKey)) throw unusable("the client certificate is for another key");
  return attempt("the client certificate cannot be used", () =>
    createSecureContext({ ...trust, cert, key, ...secret }),
  );
}

/** Without a cause: what OpenSSL says of a key stays here. */
function attempt<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch {
    throw unusable(what);
  }
}

function unusable(message: string): TransportError {
  return new TransportError("ERR_TRANSPORT_BAD_CERTIFICATE", message);
}
