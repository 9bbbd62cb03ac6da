import { mkdir } from "node:fs/promises";
import { proves, spawnChild, type TemporaryHome, temporaryHome } from "@hawser/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CANARY } from "./support/canary.ts";
import { credentialOf } from "./support/memory-setting.ts";
import { RotatingAuthority } from "./support/rotating-authority.ts";
import { SecretNet, secretNet } from "./support/secret-net.ts";

/** Stands for the canary: what is let out here is not to be found by the net over this suite. */
const WORD = "watchword";
const TOKEN = `rt-${WORD}-0001`;

let home: TemporaryHome;
let net: SecretNet;
let end: () => void;
beforeEach(async () => {
  home = await temporaryHome();
  const { console } = globalThis;
  for (const name of ["log", "error", "dir"] as const) vi.spyOn(console, name).mockImplementation(() => {});
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, "write").mockReturnValue(true);
  net = new SecretNet(WORD);
  end = net.cast();
});
afterEach(async () => {
  end();
  vi.restoreAllMocks();
  await home.remove();
});

describe(SecretNet, () => {
  it("finds nothing where no token is", proves("oauth-store/no-secret-shown"), async () => {
    process.stdout.write("a line\n");
    await home.write("auth.lock", "");
    const session = { onEvent: () => {}, status: async () => ({ state: "valid" }) };
    await net.session(session).status();
    await home.remove();
    net.check();
  });

  const { console } = globalThis;
  it.each<[what: string, print: () => void]>([
    ["a line of the log", () => console.log(TOKEN)],
    ["something in the log", () => console.error("refreshing", { with: [TOKEN] })],
    ["bytes in the log", () => console.dir(Buffer.from(`{"refresh_token":"${TOKEN}"}`))],
    ["base64 in the log", () => console.log(Buffer.from(`a${TOKEN}`).toString("base64"))],
    ["text on stdout", () => process.stdout.write(TOKEN)],
    ["bytes on stderr", () => process.stderr.write(Buffer.from(TOKEN))],
    ["a warning", () => process.emit("warning", new Error(TOKEN))],
  ])("finds a token in %s", proves("oauth-store/no-secret-shown"), (_, print) => {
    print();
    expect(() => net.check()).toThrow("this process printed");
    net.check();
  });

  it.each(["stdout", "stderr"])(
    "finds a token on a child's %s, whoever started it",
    proves("oauth-store/no-secret-shown"),
    async (stream) => {
      const script = new URL("./children/printing-child.ts", import.meta.url);
      await spawnChild({ script, args: [stream, TOKEN] }).exited;
      expect(() => net.check()).toThrow("a child printed");
      net.check();
    },
  );

  it.each([
    "auth.lock",
    ".credentials.json.lock",
    ".credentials.json.corrupt-1700000000000",
    ".mcp-oauth-store-resolutions.json",
    "credentials.enc",
    "lineage",
  ])(
    "finds a token in the file %s of a home that is removed",
    proves("oauth-store/no-secret-shown"),
    async (name) => {
      await mkdir(home.file("below"));
      await home.write(`below/${name}`, `{"host":"${TOKEN}"}`);
      await home.remove();
      expect(() => net.check()).toThrow(name);
      net.check();
    },
  );

  it("leaves a store alone, and what a killed write of it left", async () => {
    await home.write(".credentials.json", TOKEN);
    await home.write("..credentials.json.0123456789abcdef.tmp", TOKEN);
    await home.remove();
    net.check();
  });

  it.each<[what: string, how: () => Promise<unknown>]>([
    ["returns", async () => ({ state: TOKEN })],
    ["throws", () => Promise.reject(new Error("refused", { cause: TOKEN }))],
  ])("finds a token in what a session %s", proves("oauth-store/no-secret-shown"), async (_, how) => {
    const session = { onEvent: () => {}, status: how };
    await net
      .session(session)
      .status()
      .catch(() => {});
    expect(() => net.check()).toThrow("a session showed");
  });

  it("finds a token in what a session tells", proves("oauth-store/no-secret-shown"), () => {
    net.session({ onEvent: (listener) => listener({ type: "refused", code: TOKEN }) });
    expect(() => net.check()).toThrow("a session showed");
  });

  it("takes a token for a secret that was spelled out", proves("oauth-store/no-secret-shown"), () => {
    net.spelledOut("rt-short");
    process.stdout.write("sent rt-short");
    expect(() => net.check()).toThrow("this process printed");
  });
});

describe("the net over this suite", () => {
  it("has its canary in every token of the authority", proves("oauth-store/no-secret-shown"), () => {
    const authority = new RotatingAuthority();
    const { refreshToken } = authority.login();
    authority.grant(refreshToken);
    expect(authority.issued).toHaveLength(4);
    for (const token of authority.issued) expect(token).toContain(CANARY);
  });

  // The test itself has no fault: it fails by the net, and that is what is expected.
  it.fails.each<[whose: string, token: () => string | undefined]>([
    ["of the authority", () => new RotatingAuthority().login().refreshToken],
    ["that it spelled out", () => credentialOf({ accessToken: "at-spelled-out" }).accessToken],
  ])("fails a test that leaves a token %s in a lock", async (_, token) => {
    await home.write("auth.lock", token() ?? "");
  });

  it("hears what is printed", proves("oauth-store/no-secret-shown"), () => {
    vi.restoreAllMocks();
    process.stdout.write("");
    expect(secretNet.printed).toEqual([""]);
  });
});
