import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { parseOsRelease, readOperatingSystem } from "./operating-system.ts";
import { parseClientInfo } from "./parse-client-info.ts";
import { type ProcessIdentityOptions, processIdentity } from "./process-identity.ts";

const os = { type: "Debian", version: "12.0.0", arch: "x86_64" };

function made(options: Partial<ProcessIdentityOptions> = {}) {
  return processIdentity({ name: "hawser", version: "0.1.0", os, ...options });
}

describe(processIdentity, () => {
  it("names the process and no client", proves("client-identity/shared-work"), () => {
    expect(made().headers).toEqual([
      ["originator", "hawser"],
      ["user-agent", "hawser/0.1.0 (Debian 12.0.0; x86_64) unknown"],
    ]);
  });

  it.each([
    [{ TERM_PROGRAM: "iTerm.app", TERM_PROGRAM_VERSION: "3.5", TERM: "xterm" }, "iTerm.app/3.5"],
    [{ TERM_PROGRAM: "vscode", TERM: "xterm" }, "vscode"],
    [{ TERM: "xterm-256color" }, "xterm-256color"],
    [{ TERM_PROGRAM: "", TERM: "" }, "unknown"],
    [{ TERM_PROGRAM: "evil (x; y)\n" }, "evil__x__y__"],
  ])("reads the terminal from %j", (env, terminal) => {
    expect(made({ env }).userAgent).toBe(`hawser/0.1.0 (Debian 12.0.0; x86_64) ${terminal}`);
  });

  it("lets the override replace its originator and no client's", proves("client-identity/override"), () => {
    const process = made({ env: { OVERRIDE: "env_orig" }, overrideVariable: "OVERRIDE" });
    expect(process.originator).toBe("env_orig");
    expect(process.userAgent).toMatch(/^env_orig\/0\.1\.0 /);
    const client = parseClientInfo({ name: "my_client", version: "1" }, { process });
    expect(client.originator).toBe("my_client");
    expect(client.userAgent).toMatch(/^my_client\/0\.1\.0 /);
  });

  it(
    "ignores an override that no header can carry, and says which",
    proves("client-identity/override"),
    () => {
      const ignored: string[] = [];
      const process = made({
        env: { OVERRIDE: "bad\nvalue" },
        overrideVariable: "OVERRIDE",
        onIgnoredOverride: (variable) => ignored.push(variable),
      });
      expect(process.originator).toBe("hawser");
      expect(ignored).toEqual(["OVERRIDE"]);
    },
  );

  it("ignores a variable that was not named", () => {
    expect(made({ env: { CODEX_INTERNAL_ORIGINATOR_OVERRIDE: "other" } }).originator).toBe("hawser");
  });

  it("adds the region to every identity of the process", () => {
    const process = made({ residency: "us" });
    const client = parseClientInfo({ name: "a", version: "1" }, { process });
    for (const { headers } of [process, client]) {
      expect(headers).toContainEqual(["x-openai-internal-codex-residency", "us"]);
    }
  });

  it("refuses an illegal name of its own", () => {
    expect(() => made({ name: "bad\nname" })).toThrowError(
      expect.objectContaining({ code: "ERR_CLIENT_IDENTITY_INVALID_NAME" }),
    );
  });
});

describe(parseOsRelease, () => {
  it.each([
    ['NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n', { type: "Debian", version: "12.0.0" }],
    ['ID=ubuntu\nVERSION_ID="24.04"\nID_LIKE=debian\n', { type: "Ubuntu", version: "24.4.0" }],
    ["ID=arch\nNAME='Arch Linux'\n", { type: "Arch Linux", version: "Unknown" }],
    ['ID=other\nNAME="Other OS"\nVERSION_ID=rolling\n', { type: "Other OS", version: "rolling" }],
    ["", { type: "Linux", version: "Unknown" }],
  ])("reads %j", (text, expected) => {
    expect(parseOsRelease(text)).toEqual(expected);
  });

  it("describes the machine it runs on", () => {
    const { type, version, arch } = readOperatingSystem();
    expect([type, version, arch].every((part) => part.length > 0)).toBe(true);
  });
});
