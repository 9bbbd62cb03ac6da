import { proves } from "@hawser/test-kit";
import { TransportError } from "@hawser/transport";
import { describe, expect, it } from "vitest";
import { probeAuthStatus } from "../src/index.ts";
import { scriptedAuthority, serverUrl } from "./scripted-authority.ts";

const stored = (state: "absent" | "usable" | "unusable" | "corrupt") => ({
  status: async () => ({ state, expired: false }),
});

describe(probeAuthStatus, () => {
  it.each([
    ["bearerToken", "a configured authorization", "usable", [["Authorization", "Bearer x"]]],
    ["oAuth", "a login that can be used", "usable", []],
    ["notLoggedIn", "a login that has ended", "unusable", []],
    ["unknown", "a store that cannot be read", "corrupt", []],
    ["notLoggedIn", "a server that offers a login", "absent", []],
  ] as const)("says %s for %s", proves("mcp-http/auth-status"), async (status, _name, state, headers) => {
    const { transport } = scriptedAuthority();
    expect(await probeAuthStatus({ serverUrl, transport, session: stored(state), headers })).toBe(status);
  });

  it("asks nobody when it knows already", proves("mcp-http/auth-status"), async () => {
    const { transport } = scriptedAuthority();
    await probeAuthStatus({ serverUrl, transport, session: stored("usable") });
    expect(transport.seen).toEqual([]);
  });

  it(
    "tells a server that offers no login from one that does not answer",
    proves("mcp-http/auth-status"),
    async () => {
      const authority = scriptedAuthority();
      authority.override = ({ url }) => ({ status: url.href === serverUrl ? 200 : 404 });
      expect(await probeAuthStatus({ serverUrl, transport: authority.transport })).toBe("unsupported");
      authority.override = () => {
        throw new TransportError("ERR_TRANSPORT_REFUSED", "nobody listens");
      };
      expect(await probeAuthStatus({ serverUrl, transport: authority.transport })).toBe("unknown");
    },
  );
});
