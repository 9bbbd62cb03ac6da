import { describe, expect, it } from "vitest";
import { parseCommandLine } from "./command-line.ts";

describe(parseCommandLine, () => {
  it("asks for help when nothing is given", () => {
    expect(parseCommandLine([])).toEqual({ command: "help" });
  });

  it("serves stdio when only the leading word is given", () => {
    expect(parseCommandLine(["app-server"])).toMatchObject({ command: "serve", listen: "stdio://" });
  });

  it("takes --listen with and without the leading word", () => {
    for (const args of [
      ["app-server", "--listen", "ws://127.0.0.1:0"],
      ["--listen", "ws://127.0.0.1:0"],
    ]) {
      expect(parseCommandLine(args)).toMatchObject({ command: "serve", listen: "ws://127.0.0.1:0" });
    }
  });

  it.each([
    [["app-server", "--nope"], /--nope/],
    [["exec"], /"exec"/],
    [["app-server", "more"], /"more"/],
    [["--config", "x.toml"], /app-server/],
    [["app-server", "--listen"], /listen/],
  ])("answers %j with one line that names the fault", (args, fault) => {
    const refusal = expect.objectContaining({
      code: "ERR_APP_SERVER_USAGE",
      message: expect.stringMatching(fault),
    });
    expect(() => parseCommandLine(args)).toThrowError(refusal);
    expect(() => parseCommandLine(args)).not.toThrowError(/\n/);
  });

  it("says that the compatibility profile is not built", () => {
    expect(() => parseCommandLine(["app-server", "--codex-home", "/x"])).toThrowError(
      expect.objectContaining({ code: "ERR_APP_SERVER_NOT_SUPPORTED" }),
    );
  });
});
