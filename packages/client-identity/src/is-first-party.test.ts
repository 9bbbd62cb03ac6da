import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { client, hawser } from "../test/identities.ts";
import { createIdentityScope } from "./create-identity-scope.ts";
import { isFirstParty, isFirstPartyChat } from "./is-first-party.ts";

describe(isFirstParty, () => {
  it.each([
    ["codex_cli_rs", true],
    ["codex-tui", true],
    ["codex_vscode", true],
    ["Codex Desktop", true],
    ["Codex", false],
    ["codex desktop", false],
    ["codex_cli_rs2", false],
    ["codex_ios", false],
    ["codex_atlas", false],
  ])("says of %s: %s", (name, expected) => {
    expect(isFirstParty(client(name))).toBe(expected);
  });

  it("looks at the identity it is given, whatever the scope", proves("client-identity/first-party"), () => {
    const scope = createIdentityScope(hawser);
    scope.run(client("codex-tui"), () => {
      expect(isFirstParty(client("third_party"))).toBe(false);
      expect(isFirstPartyChat(client("codex_atlas"))).toBe(true);
    });
  });
});

describe(isFirstPartyChat, () => {
  it.each([
    ["codex_atlas", true],
    ["codex_chatgpt_desktop", true],
    ["codex-tui", false],
    ["Codex Desktop", false],
  ])("says of %s: %s", (name, expected) => {
    expect(isFirstPartyChat(client(name))).toBe(expected);
  });
});
