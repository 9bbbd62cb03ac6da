import { proves } from "@hawser/test-kit";
import { Operation } from "@hawser/transport";
import { describe, expect, it } from "vitest";
import { client, get, hawser, recordingTransport, sentHeader } from "../test/identities.ts";
import { identityKey } from "./client-identity.ts";
import { createIdentityScope } from "./create-identity-scope.ts";
import { identityHeaders } from "./identity-headers.ts";
import { processIdentity } from "./process-identity.ts";
import { withIdentityHeaders } from "./with-identity-headers.ts";

function setUp() {
  const scope = createIdentityScope(hawser);
  const wire = recordingTransport();
  return { scope, wire, transport: withIdentityHeaders(scope)(wire) };
}

describe(withIdentityHeaders, () => {
  it(
    "sends for a later client what that client announced, whoever came first",
    proves("client-identity/own-connection"),
    async () => {
      const { scope, wire, transport } = setUp();
      await scope.run(client("codex-backend", "0.1"), () => transport.send(get("/backend")));
      await scope.run(client("codex_ios", "2.0"), () => transport.send(get("/ios")));
      await scope.run(client("third_party", "3.0"), () => transport.send(get("/third")));

      expect(sentHeader(wire.seen, "/backend", "originator")).toEqual(["codex-backend"]);
      expect(sentHeader(wire.seen, "/ios", "originator")).toEqual(["codex_ios"]);
      expect(sentHeader(wire.seen, "/ios", "user-agent")).toEqual([
        "codex_ios/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_ios; 2.0)",
      ]);
      expect(sentHeader(wire.seen, "/third", "originator")).toEqual(["third_party"]);
    },
  );

  it(
    "keeps fifty interleaved connections apart",
    proves("client-identity/own-connection", "client-identity/background-follows"),
    async () => {
      const { scope, wire, transport } = setUp();
      const turns = Array.from({ length: 50 }, (_, index) =>
        scope.run(client(`client_${index}`), async () => {
          for (let turn = 0; turn < 20; turn++) {
            // Every turn ends on another queue, so that connections overtake each other.
            if ((index + turn) % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
            if ((index + turn) % 3 === 1) await new Promise((resolve) => setTimeout(resolve, 1));
            await transport.send(get(`/${index}`));
          }
        }),
      );
      await Promise.all(turns);

      expect(wire.seen).toHaveLength(1000);
      const wrong = wire.seen.filter(
        ({ url, headers }) => headers[0]?.[1] !== `client_${url.pathname.slice(1)}`,
      );
      expect(wrong).toEqual([]);
    },
  );

  it("sends under the process outside every scope", proves("client-identity/shared-work"), async () => {
    const { wire, transport } = setUp();
    await transport.send(get("/"));
    expect(wire.seen[0]?.headers).toBe(hawser.headers);
  });

  it(
    "obeys an identity in the operation before the scope",
    proves("client-identity/operation-wins"),
    async () => {
      const { scope, wire, transport } = setUp();
      const operation = Operation.start({ label: "turn" }).with(identityKey, client("owner"));
      await scope.run(client("somebody_else"), () => transport.send(get("/", { operation })));
      expect(sentHeader(wire.seen, "/", "originator")).toEqual(["owner"]);
    },
  );

  it("uses the scope when the operation names nobody", async () => {
    const { scope, wire, transport } = setUp();
    const operation = Operation.start({ label: "turn" });
    await scope.run(client("a"), () => transport.send(get("/", { operation })));
    expect(sentHeader(wire.seen, "/", "originator")).toEqual(["a"]);
  });

  it("replaces what a caller set, in any spelling", proves("client-identity/caller-replaced"), async () => {
    const { wire, transport } = setUp();
    const headers = [
      ["Originator", "forged"],
      ["accept", "a"],
      ["USER-AGENT", "forged/1"],
      ["user-agent", "forged/2"],
      ["accept", "b"],
    ] as const;
    await transport.send(get("/", { headers }));
    expect(wire.seen[0]?.headers).toEqual([["accept", "a"], ["accept", "b"], ...hawser.headers]);
  });

  it("changes nothing else of a request, nor the request itself", async () => {
    const { wire, transport } = setUp();
    const request = Object.freeze(get("/", { method: "POST", body: "body", idempotent: true }));
    await transport.send(request);
    expect(wire.seen[0]).toEqual({ ...request, headers: hawser.headers });
  });

  it("sends the region where a deployment enforces one", async () => {
    const wire = recordingTransport();
    const process = processIdentity({ name: "hawser", version: "1", residency: "us" });
    await withIdentityHeaders(createIdentityScope(process))(wire).send(get("/"));
    expect(sentHeader(wire.seen, "/", "x-openai-internal-codex-residency")).toEqual(["us"]);
  });
});

describe(identityHeaders, () => {
  it("is the same list every time", proves("client-identity/immutable"), () => {
    const identity = client("a");
    expect(identityHeaders(identity)).toBe(identityHeaders(identity));
    expect(Object.isFrozen(identityHeaders(identity))).toBe(true);
  });
});
