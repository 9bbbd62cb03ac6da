import { proves } from "@hawser/test-kit";
import { describe, expect, it, vi } from "vitest";
import { AccountCredential } from "./account-credential.ts";
import type { LoginAttempt, LoginOutcome } from "./login-attempt.ts";
import { LoginDesk } from "./login-desk.ts";

interface Bench {
  readonly desk: LoginDesk;
  readonly log: string[];
  readonly ended: [string, LoginOutcome][];
  /** A login that ends when told to. */
  waiting(name: string): {
    begin: (attempt: LoginAttempt) => Promise<string>;
    bring: (credential: AccountCredential) => void;
  };
}

function bench(install: (credential: AccountCredential) => Promise<void> = async () => undefined): Bench {
  const log: string[] = [];
  const ended: [string, LoginOutcome][] = [];
  const desk = new LoginDesk({
    install: async (credential) => {
      log.push(`install ${credential.bearer}`);
      await install(credential);
    },
    discard: async (credential) => void log.push(`discard ${credential.bearer}`),
    onEnd: (loginId, outcome) => void ended.push([loginId, outcome]),
  });
  return {
    desk,
    log,
    ended,
    waiting(name) {
      const brought = Promise.withResolvers<AccountCredential>();
      return {
        bring: brought.resolve,
        begin: async (attempt) => {
          log.push(`begin ${name}`);
          attempt.completed.finally(() => attempt.done());
          const gaveUp = new Promise<never>((_resolve, reject) => {
            attempt.signal.addEventListener("abort", () => reject(attempt.signal.reason));
          });
          attempt.run(() => Promise.race([brought.promise, gaveUp]));
          return name;
        },
      };
    },
  };
}

const key = (text: string) => AccountCredential.fromApiKey(text);

describe(LoginDesk, () => {
  it("lets one login wait at a time", proves("auth-manager/one-login"), async () => {
    const { desk, log, waiting } = bench();
    const first = await desk.start(1e6, waiting("first").begin);
    const second = await desk.start(1e6, waiting("second").begin);

    expect(await first.attempt.completed).toMatchObject({ code: "ERR_AUTH_MANAGER_LOGIN_SUPERSEDED" });
    expect(log).toEqual(["begin first", "begin second"]);
    expect(desk.cancel(second.attempt.loginId)).toBe(true);
    await second.attempt.completed;
  });

  it("lets the later of two stay that start together", async () => {
    const { desk, waiting } = bench();
    const last = waiting("last");
    const starts = await Promise.allSettled([
      desk.start(1e6, waiting("first").begin),
      desk.start(1e6, waiting("second").begin),
      desk.start(1e6, last.begin),
    ]);
    const outcomes = starts.map((one) => (one.status === "fulfilled" ? one.value.attempt : undefined));
    last.bring(key("sk-last"));
    expect(await outcomes[2]?.completed).toMatchObject({ success: true });
    for (const one of starts.slice(0, 2)) {
      const end = one.status === "rejected" ? one.reason : await one.value.attempt.completed;
      expect(end).toMatchObject({ code: "ERR_AUTH_MANAGER_LOGIN_SUPERSEDED" });
    }
  });

  it(
    "gives back what a cancelled login brings, and installs nothing",
    proves("auth-manager/cancelled-login"),
    async () => {
      const { desk, log } = bench();
      const brought = Promise.withResolvers<AccountCredential>();
      // Past the exchange of its code a login no longer listens to its signal.
      const { attempt } = await desk.start(1e6, async (started) => {
        started.run(() => brought.promise);
        return "";
      });
      expect(attempt.cancel()).toBe(true);
      brought.resolve(key("sk-late"));
      expect(await attempt.completed).toMatchObject({ code: "ERR_AUTH_MANAGER_LOGIN_CANCELLED" });
      expect(log).toEqual(["discard sk-late"]);
    },
  );

  it("says when it is too late to cancel, and makes a logout wait for the login being installed", async () => {
    const installing = Promise.withResolvers<void>();
    const { desk, log, waiting } = bench(() => installing.promise);
    const login = waiting("login");
    const { attempt } = await desk.start(1e6, login.begin);
    login.bring(key("sk-1"));
    await vi.waitFor(() => expect(log).toContain("install sk-1"));

    expect(desk.cancel(attempt.loginId)).toBe(false);
    let cleared = false;
    const clearing = desk.clear().then(() => {
      cleared = true;
    });
    await Promise.resolve();
    expect(cleared).toBe(false);
    installing.resolve();
    await clearing;
    expect(await attempt.completed).toMatchObject({ success: true });
  });

  it("reports a login that could not be saved, without the text of a stranger's error", async () => {
    const { desk, ended, waiting } = bench(async () => {
      throw new Error("rt-planted");
    });
    const login = waiting("login");
    const { attempt } = await desk.start(1e6, login.begin);
    login.bring(key("sk-1"));
    expect(await attempt.completed).toEqual({
      success: false,
      code: "ERR_AUTH_MANAGER_LOGIN_FAILED",
      message: "The login failed for an unexpected reason.",
    });
    expect(ended.map(([loginId]) => loginId)).toEqual([attempt.loginId]);
  });

  it("gives up after its time", async () => {
    const { desk, waiting } = bench();
    const { attempt } = await desk.start(1, waiting("slow").begin);
    expect(await attempt.completed).toMatchObject({ code: "ERR_AUTH_MANAGER_LOGIN_TIMEOUT" });
  });

  it("starts nothing after it is closed", async () => {
    const { desk, waiting } = bench();
    const { attempt } = await desk.start(1e6, waiting("open").begin);
    await desk.close();
    expect(await attempt.completed).toMatchObject({ code: "ERR_AUTH_MANAGER_CLOSED" });
    await expect(desk.start(1e6, waiting("late").begin)).rejects.toMatchObject({
      code: "ERR_AUTH_MANAGER_CLOSED",
    });
  });
});
