import { X509Certificate } from "node:crypto";
import { proves, selfSignedCa } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { pemCertificates } from "./pem-certificates.ts";

describe(pemCertificates, () => {
  it("takes certificates out of whatever surrounds them", proves("transport/trust"), async () => {
    const [one, two] = [await selfSignedCa(), await selfSignedCa()];
    const bundle = [
      "# comment",
      one.pem.replaceAll("\n", "\r\n"),
      "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----",
      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
      two.pem,
    ].join("\n");

    const subjects = pemCertificates(bundle).map((pem) => new X509Certificate(pem).fingerprint256);

    expect(subjects).toEqual([one.pem, two.pem].map((pem) => new X509Certificate(pem).fingerprint256));
  });

  it("cuts the trust settings off OpenSSL's own form", proves("transport/trust"), async () => {
    const { pem } = await selfSignedCa();
    const der = new X509Certificate(pem).raw;
    const trusted = Buffer.concat([der, Buffer.from("300c300a06082b06010505070301", "hex")]);
    const bundle = `-----BEGIN TRUSTED CERTIFICATE-----\n${trusted.toString("base64")}\n-----END TRUSTED CERTIFICATE-----\n`;

    const [found] = pemCertificates(bundle);

    expect(new X509Certificate(found ?? "").raw).toEqual(der);
  });

  it("finds nothing in nothing", () => {
    expect(pemCertificates("-----BEGIN CERTIFICATE-----\nnever ended")).toEqual([]);
  });
});
