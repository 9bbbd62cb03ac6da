import { describe, expect, it } from "vitest";
import { type BodyDelta, RemoteBody, type RemoteBodyOptions } from "./remote-body.ts";

function start(options: Partial<RemoteBodyOptions> = {}): {
  body: RemoteBody;
  ends: string[];
  reads: number[];
} {
  const ends: string[] = [];
  const reads: number[] = [];
  const body = new RemoteBody({
    url: new URL("http://a.example/"),
    maxResponseBytes: 0,
    idleTimeoutMs: 0,
    maxQueuedBytes: 100,
    onRead: (bytes) => reads.push(bytes),
    onEnd: (how) => ends.push(how),
    ...options,
  });
  return { body, ends, reads };
}

const delta = (seq: number, text: string, more: Partial<BodyDelta> = {}): BodyDelta => ({
  requestId: "r",
  seq,
  deltaBase64: Buffer.from(text).toString("base64"),
  done: false,
  error: null,
  ...more,
});

describe(RemoteBody, () => {
  it("yields what came, then its end", async () => {
    const { body, ends, reads } = start();
    const waiting = body.next();
    body.push(delta(1, "one"));
    body.push(delta(2, "two"));
    body.push(delta(3, "", { done: true }));
    expect(String((await waiting).value)).toBe("one");
    expect(String((await body.next()).value)).toBe("two");
    expect(await body.next()).toEqual({ done: true, value: undefined });
    expect([ends, reads]).toEqual([["finished"], []]);
  });

  it.each([
    ["a gap", [delta(2, "two")], "ERR_TRANSPORT_PROTOCOL", "given up"],
    ["a repetition", [delta(1, "one"), delta(1, "one")], "ERR_TRANSPORT_PROTOCOL", "given up"],
    ["more than there is room for", [delta(1, "x".repeat(101))], "ERR_TRANSPORT_RESET", "given up"],
    ["the server's failure", [delta(1, "", { done: true, error: "cut" })], "ERR_TRANSPORT_RESET", "finished"],
    [
      "the server's failure with its code",
      [delta(1, "", { done: true, error: "late", data: { code: "ERR_TRANSPORT_TIMEOUT" } })],
      "ERR_TRANSPORT_TIMEOUT",
      "finished",
    ],
    [
      "a code that is none",
      [delta(1, "", { done: true, error: "odd", data: { code: "ERR_EVIL" } })],
      "ERR_TRANSPORT_RESET",
      "finished",
    ],
  ])("fails on %s, once", async (_name, deltas, code, how) => {
    const { body, ends } = start();
    for (const one of deltas) body.push(one);
    body.push(delta(9, "after the end"));
    const read = async () => {
      while ((await body.next()).done !== true);
    };
    await expect(read()).rejects.toMatchObject({ code, sent: "yes" });
    expect(ends).toEqual([how]);
  });

  it("is given up once, and forgets what it held", async () => {
    const { body, ends } = start();
    body.push(delta(1, "held"));
    body.cancel();
    body.cancel();
    expect(await body.next()).toEqual({ done: true, value: undefined });
    expect(ends).toEqual(["given up"]);
  });
});
