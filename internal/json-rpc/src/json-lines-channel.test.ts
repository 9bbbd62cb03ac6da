import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { jsonLinesChannel } from "./json-lines-channel.ts";

describe(jsonLinesChannel, () => {
  it("yields a line per message whatever pieces it came in, skipping blank ones and accepting CRLF", async () => {
    const input = new PassThrough();
    const channel = jsonLinesChannel(input, new PassThrough());
    const bytes = Buffer.from('{"a":"é"}\r\n\n  \n{"b":1}\n{"c":2}');
    for (const byte of bytes) input.write(Uint8Array.of(byte));
    input.end();
    const seen: string[] = [];
    for await (const text of channel.messages) seen.push(text.trim());
    expect(seen).toEqual(['{"a":"é"}', '{"b":1}', '{"c":2}']);
  });

  it("makes the sender wait for a slow peer and loses nothing", async () => {
    const written: string[] = [];
    let release: (() => void) | undefined;
    const slow = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk.toString());
        release = done;
      },
    });
    const channel = jsonLinesChannel(new PassThrough(), slow, { maxQueuedBytes: 100 });
    await channel.send("x".repeat(60));
    let settled = false;
    const second = channel.send("y".repeat(60)).then(() => {
      settled = true;
    });
    await new Promise(setImmediate);
    expect(settled).toBe(false);
    expect(channel.queuedBytes).toBe(122);
    release?.();
    await new Promise(setImmediate);
    release?.();
    await second;
    expect(written).toEqual([`${"x".repeat(60)}\n`, `${"y".repeat(60)}\n`]);
  });

  it("closes with 1009 on a line above the bound, having read no more than it", async () => {
    const input = new PassThrough();
    const channel = jsonLinesChannel(input, new PassThrough(), { maxMessageBytes: 10 });
    input.write("x".repeat(11));
    for await (const text of channel.messages) expect.unreachable(text);
    expect(await channel.closed).toEqual({ code: 1009, reason: "message too large" });
    await expect(channel.send("{}")).rejects.toMatchObject({ code: "ERR_JSON_RPC_CLOSED", closeCode: 1009 });
  });

  it("flushes before it closes", async () => {
    const output = new PassThrough();
    const channel = jsonLinesChannel(new PassThrough(), output);
    void channel.send('{"last":true}');
    await channel.close();
    output.setEncoding("utf8");
    let text = "";
    for await (const piece of output) text += piece;
    expect(text).toBe('{"last":true}\n');
  });

  it("takes a broken pipe for the peer leaving", async () => {
    const output = new PassThrough();
    const channel = jsonLinesChannel(new PassThrough(), output);
    output.destroy(new Error("EPIPE"));
    expect(await channel.closed).toEqual({ reason: "output failed" });
    await channel.close();
  });
});
