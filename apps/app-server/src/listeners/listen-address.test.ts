import { describe, expect, it } from "vitest";
import { isLoopback, parseListenAddress } from "./listen-address.ts";

const options = { defaultSocketPath: "/home/x/control.sock" };

describe(parseListenAddress, () => {
  it.each([
    ["stdio://", { kind: "stdio" }],
    ["ws://127.0.0.1:0", { kind: "ws", host: "127.0.0.1", port: 0 }],
    ["ws://[::1]:9000", { kind: "ws", host: "::1", port: 9000 }],
    ["unix:///tmp/a.sock", { kind: "unix", path: "/tmp/a.sock" }],
    ["unix://", { kind: "unix", path: "/home/x/control.sock" }],
  ])("reads %s", (text, expected) => {
    expect(parseListenAddress(text, options)).toEqual(expected);
  });

  it.each(["ws://localhost:1", "ws://127.0.0.1", "http://127.0.0.1:1", "ws://127.0.0.1:70000", "off", ""])(
    "refuses %j",
    (text) => {
      expect(() => parseListenAddress(text, options)).toThrowError(
        expect.objectContaining({ code: "ERR_APP_SERVER_USAGE" }),
      );
    },
  );
});

describe(isLoopback, () => {
  it("takes only loopback literals for loopback", () => {
    expect(["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "10.0.0.1", "::"].map(isLoopback)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});
