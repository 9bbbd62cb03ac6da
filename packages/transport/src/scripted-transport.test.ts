import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import type { HttpRequest } from "./http-request.ts";
import { Operation } from "./operation.ts";
import { scriptedTransport } from "./scripted-transport.ts";

const get: HttpRequest = { method: "GET", url: new URL("https://a.example/"), headers: [] };

describe(scriptedTransport, () => {
  it("answers in turn and records what was sent", proves("transport/scripted"), async () => {
    const fault = new Error("wire");
    const transport = scriptedTransport([
      { body: { json: { a: 1 } }, headers: [["X-B", "1"]] },
      fault,
      (request) => ({ status: 404, body: [request.method, "!"] }),
    ]);

    const first = await transport.send(get);
    expect([first.headers, await first.json()]).toEqual([
      [
        ["content-type", "application/json"],
        ["x-b", "1"],
      ],
      { a: 1 },
    ]);
    await expect(transport.send(get)).rejects.toBe(fault);
    expect(await (await transport.send(get)).text()).toBe("GET!");
    await expect(transport.send(get)).rejects.toThrow("request number 4");
    expect(transport.seen).toEqual([get, get, get, get]);
  });

  it("counts the bodies that were given up", proves("transport/scripted"), async () => {
    const transport = scriptedTransport(() => ({ body: ["a", "b"] }));

    for await (const _piece of (await transport.send(get)).body) break;
    await (await transport.send(get)).cancel();
    await (await transport.send(get)).text();

    expect(transport.cancelled).toBe(2);
  });

  it("sends nothing for a caller who left or is late", proves("transport/scripted"), async () => {
    const transport = scriptedTransport([{}]);
    let nowMs = 0;
    const operation = Operation.start({ label: "late", timeoutMs: 1, now: () => nowMs });
    nowMs = 1;

    await expect(transport.send({ ...get, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_ABORTED",
    });
    await expect(transport.send({ ...get, operation })).rejects.toMatchObject({
      code: "ERR_TRANSPORT_TIMEOUT",
    });
    expect(transport.seen).toEqual([]);
  });
});
