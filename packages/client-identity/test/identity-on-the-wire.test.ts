import { proves, type ScriptedServer, startScriptedServer } from "@hawser/test-kit";
import { createUndiciTransport } from "@hawser/transport";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { createIdentityScope, withIdentityHeaders } from "../src/index.ts";
import { client, hawser } from "./identities.ts";

let server: ScriptedServer;
const wire = createUndiciTransport();

beforeEach(async () => {
  server = await startScriptedServer({ handler: () => ({ body: "piece" }) });
});
afterEach(() => server.close());
afterAll(() => wire[Symbol.asyncDispose]());

function sentBy(path: string): (string | undefined)[][] {
  return server.seen
    .filter((seen) => seen.path === path)
    .map(({ headers }) => [headers["originator"], headers["user-agent"]]);
}

describe("identity on the wire", () => {
  it(
    "is each connection's own, whichever initialised first, over shared sockets",
    proves("client-identity/own-connection", "client-identity/background-follows"),
    async () => {
      const scope = createIdentityScope(hawser);
      const transport = withIdentityHeaders(scope)(wire);
      const names = [
        "codex-backend",
        "codex_ios",
        ...Array.from({ length: 18 }, (_, index) => `client_${index}`),
      ];
      const turn = async (name: string) => {
        const response = await transport.send({
          method: "POST",
          url: new URL(`/${name}`, server.url),
          headers: [],
        });
        await response.bytes();
        // Work that starts while a response is being read, and later, from a timer.
        await new Promise<void>((resolve, reject) => {
          setTimeout(() => {
            transport
              .send({ method: "GET", url: new URL(`/${name}`, server.url), headers: [] })
              .then((late) => late.bytes())
              .then(() => resolve(), reject);
          }, 1);
        });
      };
      await Promise.all(
        names.map((name, index) =>
          scope.run(client(name, `${index}.0`), async () => {
            for (let count = 0; count < 5; count++) await turn(name);
          }),
        ),
      );

      for (const [index, name] of names.entries()) {
        const userAgent = `${name}/0.169.0 (Debian 12.0.0; x86_64) xterm (${name}; ${index}.0)`;
        expect(sentBy(`/${name}`)).toEqual(Array.from({ length: 10 }, () => [name, userAgent]));
      }
    },
  );

  it(
    "is the process's for shared work that a connection happened to start",
    proves("client-identity/shared-work"),
    async () => {
      const scope = createIdentityScope(hawser);
      const transport = withIdentityHeaders(scope)(wire);
      let shared: Promise<unknown> | undefined;
      const refresh = () => {
        shared ??= scope.run(scope.process, async () => {
          await new Promise((resolve) => setImmediate(resolve));
          const response = await transport.send({
            method: "POST",
            url: new URL("/refresh", server.url),
            headers: [],
          });
          await response.bytes();
        });
        return shared;
      };
      await Promise.all(["a", "b"].map((name) => scope.run(client(name), refresh)));
      expect(sentBy("/refresh")).toEqual([["hawser", hawser.userAgent]]);
    },
  );

  it("is legal on the wire, whatever a client announced", proves("client-identity/user-agent"), async () => {
    const scope = createIdentityScope(hawser);
    const identity = client("semi;colon (x) \\", "1.0-β\r\nx-injected: 1\u0000");
    const response = await scope.run(identity, () =>
      withIdentityHeaders(scope)(wire).send({ method: "GET", url: new URL("/odd", server.url), headers: [] }),
    );
    await response.bytes();
    const seen = server.seen.find(({ path }) => path === "/odd");
    expect(seen?.headers["user-agent"]).toBe(identity.userAgent);
    expect(seen?.headers["x-injected"]).toBeUndefined();
  });
});
