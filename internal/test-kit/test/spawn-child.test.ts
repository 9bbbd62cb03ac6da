import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { childStarted, spawnChild } from "../src/spawn-child.ts";
import { temporaryHome } from "../src/temporary-home.ts";

const script = new URL("./echo-child.ts", import.meta.url);

describe(spawnChild, () => {
  it("passes messages both ways and lets unarmed fault points pass", async () => {
    await using child = spawnChild({ script });
    expect(await child.receive()).toEqual({ ready: true });
    child.send("hello");
    expect(await child.receive()).toEqual({ echo: "hello" });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.stdout).toBe("a plain line\n");
    expect(child.stderr).toBe("");
  });

  it("stops the child at an armed point until it is released", async () => {
    await using child = spawnChild({ script, arm: ["before-echo", "after-echo"] });
    child.send(1);
    await child.reached("before-echo");
    expect(child.messages).toEqual([{ ready: true }]);
    child.release("before-echo");
    await child.reached("after-echo");
    expect(child.messages).toEqual([{ ready: true }, { echo: 1 }]);
    child.release("after-echo");
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });

  it("kills the child where it stands", async () => {
    await using child = spawnChild({ script, arm: ["before-echo"] });
    child.send(1);
    await child.reached("before-echo");
    expect(await child.kill()).toEqual({ code: null, signal: "SIGKILL" });
    expect(child.messages).toEqual([{ ready: true }]);
    await expect(child.reached("after-echo")).rejects.toThrow(
      "exited (SIGKILL) before it reached after-echo",
    );
  });

  it("ends with its disposal although a grandchild holds the pipes open", async () => {
    const child = spawnChild({ script: new URL("./parent-child.ts", import.meta.url) });
    const grandchild = await child.receive<number>();
    await child[Symbol.asyncDispose]();
    expect(await child.exited).toEqual({ code: null, signal: "SIGKILL" });
    process.kill(grandchild, "SIGKILL");
  });

  it("has read by its disposal what the child had printed by then", async () => {
    await using home = await temporaryHome();
    const sign = home.file("sign");
    const child = spawnChild({ script: new URL("./loud-child.ts", import.meta.url), args: [sign] });
    await child.receive();
    // Without a turn of the event loop, in which it would be read.
    while (!existsSync(sign));
    await child[Symbol.asyncDispose]();
    expect(child.stderr).toHaveLength(100_000);
  });

  it("is told of on its channel, whoever started it", async () => {
    const started: unknown[] = [];
    const onStart = (child: unknown) => void started.push(child);
    childStarted.subscribe(onStart);
    await using child = spawnChild({ script });
    childStarted.unsubscribe(onStart);
    expect(started).toEqual([child]);
  });

  it("ends the child when its parent goes away", async () => {
    await using child = spawnChild({ script });
    await child.receive();
    child.process.stdin?.end();
    expect(await child.exited).toEqual({ code: 70, signal: null });
  });

  it("says why when a script cannot start", async () => {
    await using child = spawnChild({ script: new URL("./no-such-child.ts", import.meta.url) });
    await expect(child.receive()).rejects.toThrow("no-such-child.ts");
  });
});
