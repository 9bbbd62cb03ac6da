import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { formatUserAgent } from "./format-user-agent.ts";

const surroundings = {
  productVersion: "0.169.0",
  os: { type: "Debian", version: "12.0.0", arch: "x86_64" },
  terminal: "iTerm.app/3.5",
};

describe(formatUserAgent, () => {
  it(
    "names originator, product version, system, terminal and client",
    proves("client-identity/user-agent"),
    () => {
      expect(formatUserAgent("my_client", surroundings, { name: "my_client", version: "1" })).toBe(
        "my_client/0.169.0 (Debian 12.0.0; x86_64) iTerm.app/3.5 (my_client; 1)",
      );
    },
  );

  it("leaves the last comment out when there is no client", () => {
    const base = "hawser/0.169.0 (Debian 12.0.0; x86_64) iTerm.app/3.5";
    expect(formatUserAgent("hawser", surroundings)).toBe(base);
    expect(formatUserAgent("hawser", surroundings, { name: "", version: " " })).toBe(base);
  });

  it("trims the last comment", () => {
    expect(formatUserAgent("a", surroundings, { name: "Codex Desktop", version: "  " })).toContain(
      "(Codex Desktop;)",
    );
  });

  it("lets no name or version open or close a comment", proves("client-identity/user-agent"), () => {
    const forged = "a) (Debian 1; x) xterm (root; \\";
    const userAgent = formatUserAgent(forged, surroundings, { name: forged, version: ")" });
    const withoutEscapes = userAgent.replace(/\\[()\\]/g, "");
    expect(withoutEscapes.match(/[()]/g)).toEqual(["(", ")", "(", ")"]);
    expect(withoutEscapes.indexOf("(Debian 12.0.0; x86_64)")).toBeGreaterThan(0);
  });
});
