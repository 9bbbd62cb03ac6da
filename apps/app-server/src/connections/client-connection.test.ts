import { createIdentityScope, processIdentity } from "@hawser/client-identity";
import type { MessageChannel } from "@hawser/json-rpc";
import { describe, expect, it } from "vitest";
import { ClientConnection } from "./client-connection.ts";

const { process } = createIdentityScope(processIdentity({ name: "server", version: "1" }));

function setUp(queuedBytes: number) {
  const sent: string[] = [];
  const closed: unknown[] = [];
  const channel: MessageChannel = {
    messages: (async function* () {})(),
    queuedBytes,
    send: async (text) => void sent.push(text),
    close: async (...how) => void closed.push(how),
    closed: new Promise(() => {}),
  };
  const connection = new ClientConnection(channel, { maxOutboundBytes: 1_000 });
  connection.introduce({ identity: process, experimental: false, unwantedNotifications: new Set(["quiet"]) });
  return { connection, sent, closed };
}

describe(ClientConnection, () => {
  it("tells nothing before initialize is answered, and never what was not wanted", () => {
    const { connection, sent } = setUp(0);
    connection.notify("early", {});
    connection.startHearing();
    connection.notify("quiet", {});
    connection.notify("told", { a: 1 });
    expect(sent.map((text) => JSON.parse(text))).toEqual([
      { method: "told", params: { a: 1 }, emittedAtMs: expect.any(Number) },
    ]);
  });

  it("disconnects a client that reads too slowly with 1013, once", () => {
    const { connection, sent, closed } = setUp(999);
    connection.startHearing();
    connection.notify("told", {});
    connection.notify("told", {});
    expect(sent).toEqual([]);
    expect(closed).toEqual([[1013, "client reads too slowly"]]);
  });
});
