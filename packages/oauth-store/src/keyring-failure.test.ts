import { inspect } from "node:util";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { isKeyringAbsent, keyringFailure } from "./keyring-failure.ts";

const PLATFORM = "Couldn't access platform storage: Secret Service: ";

describe(keyringFailure, () => {
  it.each([
    [`${PLATFORM}unlock prompt was dismissed`, "KEYRING_LOCKED", "prompt-dismissed"],
    [`${PLATFORM}object locked`, "KEYRING_LOCKED", "locked"],
    [
      "Couldn't access platform storage: User interaction is not allowed.",
      "KEYRING_LOCKED",
      "no-interaction",
    ],
    ["Attribute 'password' is longer than platform limit of 2560 chars", "TOO_LARGE", "platform-limit"],
    [
      "Platform failure: DBus error: … set your DBUS_SESSION_BUS_ADDRESS instead",
      "KEYRING_UNAVAILABLE",
      "no-bus",
    ],
    [
      "Platform failure: DBus error: The name org.freedesktop.secrets was not provided by any .service files",
      "KEYRING_UNAVAILABLE",
      "no-service",
    ],
    [`${PLATFORM}no result found`, "KEYRING_UNAVAILABLE", "no-collection"],
    ["Platform failure: DBus error: Did not receive a reply.", "KEYRING_UNAVAILABLE", "no-answer"],
    [`${PLATFORM}ambiguous`, "KEYRING_UNAVAILABLE", "ambiguous"],
    ["something new", "KEYRING_UNAVAILABLE", "platform"],
  ])("tells %j", proves("oauth-store/keyring-told-apart"), (text, code, reason) => {
    expect(keyringFailure(new Error(text))).toMatchObject({ code: `ERR_OAUTH_STORE_${code}`, reason });
  });

  it.each([
    ["no-bus", "set your DBUS_SESSION_BUS_ADDRESS instead", true],
    ["no-service", "org.freedesktop.secrets was not provided by any .service files", true],
    ["no-collection", `${PLATFORM}no result found`, true],
    ["no-answer", "Did not receive a reply.", false],
    ["ambiguous", "multiple credentials", false],
    ["platform", "something new", false],
    ["locked", `${PLATFORM}object locked`, false],
  ])(
    "says of %s whether an entry may be behind it",
    proves("oauth-store/keyring-told-apart"),
    (reason, text, isAbsent) => {
      const failure = keyringFailure(new Error(text));
      expect(failure.reason).toBe(reason);
      expect(isKeyringAbsent(failure)).toBe(isAbsent);
    },
  );

  it("repeats nothing of what the platform said", proves("oauth-store/no-secret-shown"), () => {
    const error = keyringFailure(new Error("bad value: planted-secret-value"));
    expect(inspect(error, { depth: null })).not.toContain("planted-secret-value");
    expect(error.cause).toBeUndefined();
  });
});
