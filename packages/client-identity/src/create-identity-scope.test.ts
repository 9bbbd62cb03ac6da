import { EventEmitter } from "node:events";
import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { client, hawser } from "../test/identities.ts";
import { createIdentityScope } from "./create-identity-scope.ts";

describe(createIdentityScope, () => {
  it("stands for the process outside every run", proves("client-identity/shared-work"), () => {
    expect(createIdentityScope(hawser).current()).toBe(hawser);
  });

  it(
    "goes back to the process for work that belongs to everybody",
    proves("client-identity/shared-work"),
    () => {
      const scope = createIdentityScope(hawser);
      scope.run(client("a"), () => {
        expect(scope.run(scope.process, () => scope.current())).toBe(hawser);
        expect(scope.current().name).toBe("a");
      });
    },
  );

  it(
    "follows timers, promises and background tasks",
    proves("client-identity/background-follows"),
    async () => {
      const scope = createIdentityScope(hawser);
      const late: Promise<string>[] = [];
      const name = () => scope.current().name;
      for (const identity of [client("a"), client("b")]) {
        scope.run(identity, () => {
          late.push(new Promise((resolve) => setTimeout(() => resolve(name()), 1)));
          late.push(new Promise((resolve) => setImmediate(() => resolve(name()))));
          late.push(Promise.resolve().then(name));
          late.push((async () => [await null, name()][1] as string)());
        });
      }
      expect(await Promise.all(late)).toEqual(["a", "a", "a", "a", "b", "b", "b", "b"]);
    },
  );

  it("binds a listener to the identity of now", proves("client-identity/background-follows"), () => {
    const scope = createIdentityScope(hawser);
    const emitter = new EventEmitter();
    const heard: string[] = [];
    scope.run(client("a"), () => {
      emitter.on(
        "event",
        scope.bind((word: string) => void heard.push(`${word} ${scope.current().name}`)),
      );
    });
    emitter.on(
      "event",
      scope.bind(() => void heard.push(scope.current().name)),
    );
    scope.run(client("b"), () => emitter.emit("event", "hello"));
    expect(heard).toEqual(["hello a", "hawser"]);
  });

  it("keeps this, arguments and the result of a bound function", () => {
    const scope = createIdentityScope(hawser);
    const counter = {
      start: 40,
      add: scope.bind(function (this: { start: number }, more: number) {
        return this.start + more;
      }),
    };
    expect(counter.add(2)).toBe(42);
  });

  it("never sees the identity of another scope", () => {
    const one = createIdentityScope(hawser);
    const other = createIdentityScope(hawser);
    expect(one.run(client("a"), () => other.current())).toBe(hawser);
  });
});
