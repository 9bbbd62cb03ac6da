import { makeJwt, proves } from "@hawser/test-kit";
import { type ScriptedStep, scriptedTransport } from "@hawser/transport/testing";
import { describe, expect, it } from "vitest";
import type { AccountCredential } from "./account-credential.ts";
import { accountEndpoints } from "./account-endpoints.ts";
import { runDeviceLogin } from "./device-login.ts";
import { LoginAttempt } from "./login-attempt.ts";

const whole = { id_token: makeJwt({ sub: "s" }), access_token: "at", refresh_token: "rt" };
const granted: ScriptedStep = {
  body: { json: { authorization_code: "code", code_challenge: "x", code_verifier: "verifier" } },
};
const pending: ScriptedStep = { status: 403, body: { json: { error: "authorization_pending" } } };
const device = (more: object = {}): ScriptedStep => ({
  body: { json: { device_auth_id: "dev", user_code: "ABCD-EFGH", interval: "2", ...more } },
});

interface Run {
  readonly transport: ReturnType<typeof scriptedTransport>;
  readonly waitsMs: number[];
  readonly saved: AccountCredential[];
  readonly attempt: LoginAttempt;
  begin(): Promise<string>;
}

function run(script: ScriptedStep[], nowMs = 0): Run {
  const transport = scriptedTransport(script);
  const waitsMs: number[] = [];
  const saved: AccountCredential[] = [];
  const attempt = new LoginAttempt({
    timeoutMs: 900_000,
    save: async (credential) => void saved.push(credential),
    abandon: (working) => void working.catch(() => undefined),
  });
  const context = {
    transport,
    endpoints: accountEndpoints({ issuer: "https://auth.example.com" }),
    clientId: "app",
    discard: async () => undefined,
    now: () => nowMs,
    sleep: async (ms: number, signal: AbortSignal) => {
      waitsMs.push(ms);
      signal.throwIfAborted();
    },
  };
  return { transport, waitsMs, saved, attempt, begin: () => runDeviceLogin(attempt, context) };
}

describe(runDeviceLogin, () => {
  it("shows a code, asks until it is typed, and exchanges what that gives", async () => {
    const { transport, waitsMs, saved, attempt, begin } = run([
      device(),
      pending,
      pending,
      granted,
      { body: { json: whole } },
    ]);

    expect(await begin()).toBe("ABCD-EFGH");
    expect(await attempt.completed).toMatchObject({ success: true });

    expect(transport.seen.map((one) => one.url.pathname)).toEqual([
      "/api/accounts/deviceauth/usercode",
      "/api/accounts/deviceauth/token",
      "/api/accounts/deviceauth/token",
      "/api/accounts/deviceauth/token",
      "/oauth/token",
    ]);
    expect(transport.seen[1]?.body).toBe('{"device_auth_id":"dev","user_code":"ABCD-EFGH"}');
    expect(String(transport.seen[4]?.body)).toContain(
      encodeURIComponent("https://auth.example.com/deviceauth/callback"),
    );
    expect(waitsMs).toEqual([2000, 2000]);
    expect(saved[0]?.refreshToken).toBe("rt");
  });

  const rhythms: [what: string, script: ScriptedStep[], waitsMs: number[]][] = [
    ["5 s when the server names no interval", [device({ interval: undefined }), pending], [5000]],
    ["5 s when it names nonsense", [device({ interval: "soon" }), pending], [5000]],
    ["1 s at the least", [device({ interval: 0.001 }), pending], [1000]],
    [
      "5 s slower each time it says so",
      [device(), { status: 400, body: { json: { error: "slow_down" } } }, { status: 429 }, pending],
      [7000, 12_000, 12_000],
    ],
    ["as long as it asks for", [device(), { status: 403, headers: [["retry-after", "60"]] }], [60_000]],
    [
      "as before through passing faults",
      [device(), { status: 503 }, new Error("reset"), { status: 404 }],
      [2000, 2000, 2000],
    ],
  ];
  it.each(rhythms)("waits %s", proves("auth-manager/device-rhythm"), async (_what, script, waitsMs) => {
    const login = run([...script, granted, { body: { json: whole } }]);
    await login.begin();
    expect(await login.attempt.completed).toMatchObject({ success: true });
    expect(login.waitsMs).toEqual(waitsMs);
  });

  it.each(["access_denied", "expired_token"])("ends at %s", async (error) => {
    const { attempt, begin } = run([device(), { status: 403, body: { json: { error } } }]);
    await begin();
    expect(await attempt.completed).toMatchObject({ success: false, code: "ERR_AUTH_MANAGER_LOGIN_FAILED" });
  });

  it("says that the server does not offer it", async () => {
    await expect(run([{ status: 404 }]).begin()).rejects.toMatchObject({
      code: "ERR_AUTH_MANAGER_DEVICE_LOGIN_UNAVAILABLE",
    });
    await expect(run([{ status: 500 }]).begin()).rejects.toMatchObject({ status: 500 });
    await expect(run([{ body: "{}" }]).begin()).rejects.toMatchObject({
      code: "ERR_AUTH_MANAGER_LOGIN_FAILED",
    });
  });

  it("asks nothing more once it is cancelled", async () => {
    const login = run([
      device(),
      () => {
        login.attempt.cancel();
        return { status: 403 };
      },
    ]);
    await login.begin();
    expect(await login.attempt.completed).toMatchObject({
      success: false,
      code: "ERR_AUTH_MANAGER_LOGIN_CANCELLED",
    });
    expect(login.transport.seen).toHaveLength(2);
  });
});
