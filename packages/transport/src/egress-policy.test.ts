import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { egressGate } from "./egress-policy.ts";

describe(egressGate, () => {
  it.each<[string, string, number, string, boolean]>([
    ["10.1.2.3", "a.example", 443, "10.1.2.3", true],
    ["10.1.2.3", "a.example", 443, "::ffff:10.1.2.3", true],
    ["10.1.2.3", "a.example", 443, "10.1.2.4", false],
    ["10.1.2.3:8080", "a.example", 8080, "10.1.2.3", true],
    ["10.1.2.3:8080", "a.example", 443, "10.1.2.3", false],
    ["https://10.1.2.3", "10.1.2.3", 443, "10.1.2.3", true],
    ["https://10.1.2.3", "10.1.2.3", 80, "10.1.2.3", false],
    ["10.1.0.0/16", "a.example", 80, "10.1.9.9", true],
    ["10.1.0.0/16", "a.example", 80, "10.2.0.0", false],
    ["fd00:1::/32", "a.example", 80, "fd00:1::9", true],
    ["fd00:1::/32", "a.example", 80, "fd00:2::9", false],
    ["::1", "localhost", 80, "::1", true],
    ["[::1]:8080", "localhost", 8080, "::1", true],
    ["[::1]:8080", "localhost", 8081, "::1", false],
    ["http://[::1]:8080/", "localhost", 8080, "::1", true],
    ["localhost", "localhost", 1, "127.0.0.1", true],
    ["localhost:8443", "localhost", 8443, "::1", true],
    ["localhost:8443", "localhost", 8444, "::1", false],
    ["LocalHost", "localhost", 1, "127.0.0.1", true],
    ["localhost", "a.localhost", 1, "127.0.0.1", false],
    ["intern.example", "intern.example", 443, "10.0.0.7", true],
    ["intern.example", "other.example", 443, "10.0.0.7", false],
    ["https://intern.example", "intern.example", 443, "10.0.0.7", true],
    ["https://intern.example", "intern.example", 80, "10.0.0.7", false],
    // Whoever answers for a name must not choose the metadata service with it.
    ["intern.example", "intern.example", 443, "169.254.169.254", false],
    ["intern.example", "intern.example", 443, "64:ff9b::a9fe:a9fe", false],
    ["169.254.169.254", "a.example", 80, "169.254.169.254", true],
    ["a.example", "a.example", 80, "not-an-address", false],
  ])("with %s, %s port %i at %s: %s", proves("transport/egress"), (entry, host, port, address, allowed) => {
    expect(egressGate({ reach: "public", except: [entry] })(host, port, address)).toBe(allowed);
  });

  it(
    "allows what is private, but no metadata, when only that is to be kept away",
    proves("transport/egress"),
    () => {
      const gate = egressGate({ reach: "no-metadata" });

      expect(
        ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254", "fd00:ec2::254", "::ffff:a9fe:a9fe"].map(
          (address) => gate("a.example", 80, address),
        ),
      ).toEqual([true, true, true, false, false, false]);
    },
  );

  it.each(["", "a b", "a.example/x", "10.0.0.0/33", "a/8", "user@a.example", "https://"])(
    "refuses the exception %j",
    proves("transport/egress"),
    (entry) => {
      expect(() => egressGate({ reach: "public", except: [entry] })).toThrowError(
        expect.objectContaining({ code: "ERR_TRANSPORT_BAD_EGRESS" }),
      );
    },
  );
});
