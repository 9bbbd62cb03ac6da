import "reflect-metadata";
import * as x509 from "@peculiar/x509";

export interface LoopbackCertificate {
  /** PEM of the authority to trust. */
  readonly caPem: string;
  /** PEM of the server's key and certificate, for `localhost`, 127.0.0.1 and ::1. */
  readonly key: string;
  readonly cert: string;
}

/** A fresh authority and a server certificate under it, both ECDSA P-256, as strict as OpenSSL 3 wants them. */
export async function createLoopbackCertificate(): Promise<LoopbackCertificate> {
  const { subtle } = globalThis.crypto;
  const [caKeys, keys] = await Promise.all([
    subtle.generateKey(algorithm, true, ["sign", "verify"]),
    subtle.generateKey(algorithm, true, ["sign", "verify"]),
  ]);
  const dayMs = 24 * 3600 * 1000;
  const validity = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + 30 * dayMs) };
  const name = `CN=Hawser local upstream CA ${globalThis.crypto.randomUUID()}`;
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name,
    keys: caKeys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    ...validity,
    subject: "CN=localhost",
    issuer: name,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
        { type: "ip", value: "::1" },
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const pkcs8 = await subtle.exportKey("pkcs8", keys.privateKey);
  return {
    caPem: `${ca.toString("pem")}\n`,
    key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
    cert: leaf.toString("pem"),
  };
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
