import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { classifyFault } from "./classify-fault.ts";

const fault = (code: string, message = code) => Object.assign(new Error(message), { code });

describe(classifyFault, () => {
  it.each([
    ["EAI_AGAIN", "ERR_TRANSPORT_DNS"],
    ["ENETUNREACH", "ERR_TRANSPORT_CONNECT"],
    ["CERT_HAS_EXPIRED", "ERR_TRANSPORT_TLS_EXPIRED"],
    ["CERT_NOT_YET_VALID", "ERR_TRANSPORT_TLS_EXPIRED"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "ERR_TRANSPORT_TLS_UNTRUSTED"],
    ["CERT_REVOKED", "ERR_TRANSPORT_TLS_UNTRUSTED"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_TRANSPORT_TLS"],
    ["EPIPE", "ERR_TRANSPORT_RESET"],
    ["SOMETHING_NEW", "ERR_TRANSPORT_RESET"],
  ])("reads %s as %s", proves("transport/faults"), (code, named) => {
    expect(classifyFault(fault(code)).code).toBe(named);
  });

  it("looks through causes and through the faults of several addresses", proves("transport/faults"), () => {
    const wrapped = new TypeError("fetch failed", { cause: fault("ENOTFOUND") });
    const several = new AggregateError([fault("ECONNREFUSED"), fault("ECONNREFUSED")]);

    expect([classifyFault(wrapped).code, classifyFault(several).code]).toEqual([
      "ERR_TRANSPORT_DNS",
      "ERR_TRANSPORT_REFUSED",
    ]);
  });

  it("tells by the phase what a timeout was", proves("transport/faults"), () => {
    const read = [
      classifyFault(fault("ETIMEDOUT"), "no"),
      classifyFault(fault("ETIMEDOUT"), "unknown"),
      classifyFault(fault("UND_ERR_HEADERS_TIMEOUT"), "no"),
      classifyFault(fault("UND_ERR_HEADERS_TIMEOUT"), "unknown"),
    ];

    expect(read.map(({ code }) => code)).toEqual([
      "ERR_TRANSPORT_CONNECT_TIMEOUT",
      "ERR_TRANSPORT_RESET",
      "ERR_TRANSPORT_CONNECT_TIMEOUT",
      "ERR_TRANSPORT_HEADERS_TIMEOUT",
    ]);
  });

  it("keeps nothing of the original but message and code", proves("transport/no-secrets"), () => {
    const original = Object.assign(fault("ECONNRESET", "read ECONNRESET"), { data: "planted" });

    const { cause } = classifyFault(original);

    expect(cause).not.toBe(original);
    expect({ ...cause, message: cause?.message }).toEqual({ code: "ECONNRESET", message: "read ECONNRESET" });
  });

  it("takes the sting out of a peer's words, and shortens them", proves("transport/no-secrets"), () => {
    const words = `not in: DNS:\u001b[31mred\u009b2J\u202egnp.exe\r\n${"x".repeat(10_000)}`;

    const { code, cause } = classifyFault(fault("ERR_TLS_CERT_ALTNAME_INVALID", words));

    expect(code).toBe("ERR_TRANSPORT_TLS_NAME");
    expect(cause?.message.slice(0, 39)).toBe(
      "not in: DNS:\ufffd[31mred\ufffd2J\ufffdgnp.exe\ufffd\ufffdxxxxxx",
    );
    expect(cause?.message.length).toBe(500);
  });

  it("survives what is no error", () => {
    expect(classifyFault("text")).toEqual({
      code: "ERR_TRANSPORT_RESET",
      message: "the connection broke",
      cause: undefined,
    });
  });
});
