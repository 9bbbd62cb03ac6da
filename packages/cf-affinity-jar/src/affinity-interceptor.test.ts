import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { affinityInterceptor } from "./affinity-interceptor.ts";
import { createAffinityJar } from "./create-affinity-jar.ts";

type Callback = (...args: never[]) => unknown;
interface Options {
  readonly origin?: string | URL;
  readonly path: string;
  readonly method?: string;
  readonly upgrade?: string;
  readonly headers?: unknown;
}

/** A dispatcher that answers at once with the given set-cookie header. */
function setUp(setCookie?: string | string[]) {
  const jar = createAffinityJar();
  const dispatched: { options: Options; handler: Record<string, Callback> }[] = [];
  const dispatch = affinityInterceptor(jar)(
    (options: Options, handler: Record<string, Callback>): boolean => {
      dispatched.push({ options, handler });
      (handler["onResponseStart"] as (...args: unknown[]) => void)?.(
        "controller",
        200,
        { "set-cookie": setCookie },
        "OK",
      );
      return true;
    },
  );
  return { jar, dispatched, dispatch };
}

const chat = { origin: "https://chatgpt.com", path: "/backend-api", method: "GET" };

describe(affinityInterceptor, () => {
  it.each([
    ["flat pairs", ["accept", "*/*"]],
    ["a record", { accept: "*/*" }],
    ["an iterable", new Map([["accept", "*/*"]])],
    ["Headers", new Headers({ accept: "*/*" })],
  ])("adds what the jar has to headers in %s", proves("cf-affinity-jar/interceptor"), (_, headers) => {
    const { jar, dispatch, dispatched } = setUp();
    jar.store(new URL("https://chatgpt.com/"), ["__cflb=west; Path=/"]);
    dispatch({ ...chat, origin: new URL("https://chatgpt.com"), headers }, {});
    expect(dispatched[0]?.options.headers).toEqual(["accept", "*/*", "cookie", "__cflb=west"]);
  });

  it.each(["__cflb=west", ["__cflb=west", "session=private"]])(
    "shows the jar what %j sets and the handler everything",
    proves("cf-affinity-jar/interceptor"),
    (setCookie) => {
      const { jar, dispatch } = setUp(setCookie);
      const heard: unknown[][] = [];
      dispatch(chat, { onResponseStart: (...args: never[]) => heard.push(args) });
      expect(heard).toEqual([["controller", 200, { "set-cookie": setCookie }, "OK"]]);
      expect(jar.cookieHeader(new URL("https://chatgpt.com/backend-api"))).toBe("__cflb=west");
    },
  );

  it("lets a caller's own cookie header go alone", proves("cf-affinity-jar/caller-wins"), () => {
    const { jar, dispatch, dispatched } = setUp();
    jar.store(new URL("https://chatgpt.com/"), ["__cflb=west; Path=/"]);
    dispatch({ ...chat, headers: { Cookie: ["a=1", "b=2"] } }, {});
    expect(dispatched[0]?.options.headers).toEqual(["Cookie", "a=1", "Cookie", "b=2"]);
  });

  it.each([
    ["another host", { ...chat, origin: "https://example.com" }],
    ["http", { ...chat, origin: "http://chatgpt.com" }],
    ["a tunnel", { ...chat, method: "CONNECT" }],
    ["an upgrade", { ...chat, upgrade: "websocket" }],
    ["no origin", { path: "/" }],
  ])("passes %s on untouched", (_, options) => {
    const { dispatch, dispatched } = setUp("__cflb=west");
    const handler = {};
    dispatch(options, handler);
    expect(dispatched[0]?.options).toBe(options);
    expect(dispatched[0]?.handler).toBe(handler);
  });

  it("calls the handler's other callbacks as their owner", () => {
    const { dispatch, dispatched } = setUp();
    class Handler {
      #count = 0;
      onResponseData(): number {
        this.#count += 1;
        return this.#count;
      }
    }
    dispatch(chat, new Handler() as unknown as Record<string, Callback>);
    expect(dispatched[0]?.handler["onResponseData"]?.()).toBe(1);
    expect(dispatched[0]?.handler["onResponseEnd"]).toBeUndefined();
  });
});
