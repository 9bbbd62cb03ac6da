import { isIP } from "node:net";

export interface IssuedCertificate {
  /** PEM, PKCS #8. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
}

export interface CertificateAuthority {
  /** PEM of the authority's certificate. */
  readonly pem: string;
  /** A server certificate for these host names and IP addresses. */
  issue(hosts: readonly [string, ...string[]]): Promise<IssuedCertificate>;
}

/**
 * A fresh certificate authority (ECDSA P-256, valid from yesterday for a week) whose certificates OpenSSL accepts:
 * critical CA and key usage, key identifiers, subject alternative names, server authentication.
 */
export async function selfSignedCa(): Promise<CertificateAuthority> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const { subtle } = globalThis.crypto;
  const makeKeys = () => subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const dayMs = 24 * 3600 * 1000;
  const validity = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + 7 * dayMs) };

  const caKeys = await makeKeys();
  const name = `CN=Hawser test CA ${globalThis.crypto.randomUUID()}`;
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name,
    keys: caKeys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });

  return {
    pem: `${ca.toString("pem")}\n`,
    async issue(hosts) {
      const keys = await makeKeys();
      const leaf = await x509.X509CertificateGenerator.create({
        ...validity,
        subject: `CN=${hosts[0]}`,
        issuer: name,
        publicKey: keys.publicKey,
        signingKey: caKeys.privateKey,
        signingAlgorithm: algorithm,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(
            hosts.map((host) => ({ type: isIP(host) === 0 ? "dns" : "ip", value: host }) as const),
          ),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
          await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
        ],
      });
      const pkcs8 = Buffer.from(await subtle.exportKey("pkcs8", keys.privateKey));
      return { key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"), cert: leaf.toString("pem") };
    },
  };
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
