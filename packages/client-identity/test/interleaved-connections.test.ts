import { EventEmitter } from "node:events";
import { proves, type ScriptedServer, startScriptedServer } from "@hawser/test-kit";
import { createUndiciTransport, Operation } from "@hawser/transport";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ClientIdentity, createIdentityScope, identityKey, withIdentityHeaders } from "../src/index.ts";
import { client, hawser } from "./identities.ts";

const requests = process.env["HAWSER_TEST_LONG"] === "1" ? 10_000 : 600;

let server: ScriptedServer;
let wire: ReturnType<typeof createUndiciTransport>;
beforeEach(async () => {
  server = await startScriptedServer({ handler: () => ({ body: "one piece" }) });
  wire = createUndiciTransport();
});
afterEach(async () => {
  await wire[Symbol.asyncDispose]();
  await server.close();
});

/** A server process with its connections: everything here is shared, and nothing says whose it is. */
function createProcess() {
  const scope = createIdentityScope(hawser);
  const transport = withIdentityHeaders(scope)(wire);
  const bus = new EventEmitter().setMaxListeners(0);
  const background: Promise<unknown>[] = [];
  const queue: (() => Promise<void>)[] = [];

  /** Sends a request whose path says who has to be named in it. */
  async function send(owner: string, kind: string, operation?: Operation): Promise<void> {
    const url = new URL(`/${owner}/${kind}`, server.url);
    await (await transport.send({ method: "POST", url, headers: [], operation })).bytes();
  }
  return { scope, transport, bus, background, queue, send };
}

type Process = ReturnType<typeof createProcess>;
type Way = (process: Process, owner: string, self: ClientIdentity) => Promise<void>;

/** Every way in which a turn of one connection comes to send a request. */
const ways: Readonly<Record<string, Way>> = {
  at_once: ({ send }, owner) => send(owner, "at_once"),
  after_a_timer: async ({ send }, owner) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
    await send(owner, "after_a_timer");
  },
  background: async ({ send, background }, owner) => {
    background.push(Promise.resolve().then(() => send(owner, "background")));
  },
  late_timer: async ({ send, background }, owner) => {
    background.push(
      new Promise<void>((resolve, reject) => {
        setTimeout(() => void send(owner, "late_timer").then(resolve, reject), 20 + Math.random() * 20);
      }),
    );
  },
  body_read_later: async ({ transport, scope, background, send }, owner) => {
    const url = new URL(`/${owner}/body_read_later`, server.url);
    const response = await transport.send({ method: "POST", url, headers: [] });
    const each = scope.bind(() => send(owner, "for_a_piece"));
    // Somebody else reads it, at some time.
    background.push(
      scope.run(hawser, async () => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
        for await (const _ of response.body) await each();
      }),
    );
  },
  pages: async ({ scope, background, send }, owner) => {
    const pages = scope.bind(async function* () {
      for (let page = 0; page < 2; page++) {
        await send(owner, "page");
        yield page;
      }
    });
    background.push(
      scope.run(client("somebody_else"), async () => {
        for await (const _ of pages());
      }),
    );
  },
  iterable: async ({ scope, background, send }, owner) => {
    const items = scope.bindIterable({
      [Symbol.asyncIterator]: () => {
        let left = 2;
        return {
          next: async () => {
            await send(owner, "item");
            left -= 1;
            return { done: left === 0, value: left };
          },
        };
      },
    });
    background.push(
      scope.run(client("somebody_else"), async () => {
        for await (const _ of items);
      }),
    );
  },
  emitter: async ({ scope, bus, background, send }, owner) => {
    bus.once(
      "tick",
      scope.bind(() => {
        background.push(send(owner, "emitter"));
      }),
    );
  },
  queue: async ({ scope, queue, send }, owner) => {
    queue.push(scope.bind(() => send(owner, "queue")));
  },
  operation: async ({ scope, send }, owner, self) => {
    const operation = Operation.start({ label: "turn" }).with(identityKey, self);
    await scope.run(client("somebody_else"), () => send(owner, "operation", operation));
  },
  shared: async ({ scope, send }) => {
    await scope.run(scope.process, () => send("hawser", "shared"));
  },
};

describe("connections that share a process", () => {
  it.each([2, 7, 50])(
    "%i of them never carry each other's identity",
    {
      ...proves(
        "client-identity/own-connection",
        "client-identity/background-follows",
        "client-identity/operation-wins",
        "client-identity/shared-work",
      ),
      timeout: 120_000,
    },
    async (connections) => {
      const process = createProcess();
      const { scope, bus, background, queue } = process;
      // One pump for everybody's queue, and one clock for everybody's listeners; both belong to the process.
      let open = true;
      const pump = (async () => {
        while (open || queue.length > 0) {
          await queue.shift()?.();
          bus.emit("tick");
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      let started = 0;
      const names = Object.keys(ways);
      await Promise.all(
        Array.from({ length: connections }, (_, index) => {
          const self = client(`client_${index}`, `${index}.0`);
          return scope.run(self, async () => {
            for (let turn = index; started < requests / 3; turn++) {
              started += 1;
              await ways[names[turn % names.length] ?? "at_once"]?.(process, self.name, self);
            }
          });
        }),
      );
      open = false;
      await pump;
      bus.emit("tick");
      while (background.length > 0) await Promise.all(background.splice(0));

      const userAgents = new Map(
        Array.from({ length: connections }, (_, index) => client(`client_${index}`, `${index}.0`)).map(
          (one) => [one.name, one.userAgent],
        ),
      ).set("hawser", hawser.userAgent);
      const wrong = server.seen.filter(({ path, headers }) => {
        const owner = path.split("/")[1] ?? "";
        return headers["originator"] !== owner || headers["user-agent"] !== userAgents.get(owner);
      });
      expect(wrong).toEqual([]);
      expect(server.seen.length).toBeGreaterThan(requests / 3);
      expect(new Set(server.seen.map(({ path }) => path.split("/")[2])).size).toBe(names.length + 1);
    },
  );

  it(
    "carries codex_ios to the model although codex-backend initialised first",
    proves("client-identity/own-connection"),
    async () => {
      const { scope, send } = createProcess();
      const backend = client("codex-backend", "0.1");
      const ios = client("codex_ios", "2.0");
      const daemon = client("codex_app_server_daemon", "0.2");
      await scope.run(backend, () => send("codex-backend", "initialize"));
      // A thread that the phone starts in the background, and whose turns come much later, between others'.
      const thread = scope.run(ios, () => ({
        turn: scope.bind(() => send("codex_ios", "responses")),
        started: Promise.resolve().then(() => send("codex_ios", "thread_start")),
      }));
      await thread.started;
      await scope.run(daemon, () => send("codex_app_server_daemon", "models"));
      await scope.run(backend, () => thread.turn());
      await thread.turn();

      expect(
        server.seen.map(({ path, headers }) => [path, headers["originator"], headers["user-agent"]]),
      ).toEqual([
        ["/codex-backend/initialize", "codex-backend", backend.userAgent],
        ["/codex_ios/thread_start", "codex_ios", ios.userAgent],
        ["/codex_app_server_daemon/models", "codex_app_server_daemon", daemon.userAgent],
        ["/codex_ios/responses", "codex_ios", ios.userAgent],
        ["/codex_ios/responses", "codex_ios", ios.userAgent],
      ]);
      expect(ios.userAgent).toBe("codex_ios/0.169.0 (Debian 12.0.0; x86_64) xterm (codex_ios; 2.0)");
    },
  );
});
