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

  it(
    "binds every step of a generator, whoever asks for it",
    proves("client-identity/background-follows"),
    async () => {
      const scope = createIdentityScope(hawser);
      const name = () => scope.current().name;
      async function* asynchronous() {
        try {
          yield name();
          await null;
          yield name();
        } finally {
          left.push(name());
        }
      }
      function* synchronous() {
        yield name();
        yield name();
      }
      const left: string[] = [];
      const [many, few, unbound] = scope.run(client("a"), () => [
        scope.bind(asynchronous),
        scope.bind(synchronous),
        asynchronous,
      ]);
      await scope.run(client("b"), async () => {
        const heard: string[] = [];
        for await (const who of many()) heard.push(who, name());
        for (const who of few()) heard.push(who, name());
        expect(heard).toEqual(Array.from({ length: 4 }, () => ["a", "b"]).flat());
        for await (const who of unbound()) {
          expect(who).toBe("b");
          break;
        }
        for await (const _ of many()) break;
        expect(left).toEqual(["a", "b", "a"]);
      });
    },
  );

  it(
    "reads what it bound for the identity of then",
    proves("client-identity/background-follows"),
    async () => {
      const scope = createIdentityScope(hawser);
      const name = () => scope.current().name;
      const steps: string[] = [];
      const pages: AsyncIterable<string> = {
        [Symbol.asyncIterator]() {
          steps.push(`open ${name()}`);
          return {
            next: async () => ({ done: false, value: name() }),
            return: async () => {
              steps.push(`leave ${name()}`);
              return { done: true, value: undefined };
            },
          };
        },
      };
      const bound = scope.run(client("a"), () => scope.bindIterable(pages));
      expect(steps).toEqual([]);
      await scope.run(client("b"), async () => {
        for await (const page of bound) {
          expect([page, name()]).toEqual(["a", "b"]);
          break;
        }
      });
      expect(steps).toEqual(["open a", "leave a"]);
      const endless = scope.bindIterable({
        [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: 7 }) }),
      });
      expect(await endless.return?.("left")).toEqual({ done: true, value: "left" });
    },
  );

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
