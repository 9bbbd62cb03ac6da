/**
 * The certificates of a PEM bundle, one PEM text each. Comments, keys and revocation lists are passed over. OpenSSL's
 * `TRUSTED CERTIFICATE` is a certificate followed by trust settings; the settings are cut off.
 */
export function pemCertificates(bundle: string): string[] {
  const certificates: string[] = [];
  let label: string | undefined;
  let base64 = "";
  for (const line of bundle.split(/\r\n|\r|\n/)) {
    const begin = /^-----BEGIN (CERTIFICATE|X509 CERTIFICATE|TRUSTED CERTIFICATE)-----\s*$/.exec(line);
    if (begin !== null) {
      label = begin[1];
      base64 = "";
    } else if (label !== undefined && line.startsWith("-----END ")) {
      const der = Buffer.from(base64, "base64");
      certificates.push(asPem(label === "TRUSTED CERTIFICATE" ? firstObject(der) : der));
      label = undefined;
    } else if (label !== undefined) {
      base64 += line.trim();
    }
  }
  return certificates;
}

function asPem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** The first DER object: tag, length in short or long form, contents (X.690, 8.1.3). */
function firstObject(der: Buffer): Buffer {
  const first = der[1];
  if (first === undefined) return der;
  if (first < 0x80) return der.subarray(0, 2 + first);
  const lengthBytes = first & 0x7f;
  if (lengthBytes === 0 || lengthBytes > 4 || der.length < 2 + lengthBytes) return der;
  return der.subarray(0, 2 + lengthBytes + der.readUIntBE(2, lengthBytes));
}
