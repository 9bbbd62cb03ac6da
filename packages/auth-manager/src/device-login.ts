import { randomBytes } from "node:crypto";
import type { HttpResponse } from "@hawser/transport";
import { z } from "zod";
import { AccountCredential } from "./account-credential.ts";
import { serverCodeOf } from "./classify-refresh-failure.ts";
import { AuthManagerError } from "./errors.ts";
import { exchangeCode } from "./exchange-code.ts";
import type { LoginAttempt, LoginOutcome } from "./login-attempt.ts";
import type { LoginContext } from "./login-context.ts";
import { maxAnswerBytes, readJsonAnswer } from "./read-answer.ts";
import { retryAfterAtMs } from "./retry-after.ts";

export interface DeviceLogin {
  readonly loginId: string;
  /** Where a person types the code. */
  readonly verificationUrl: string;
  /** Short-lived and useless without the person's own login; still, do not log it. */
  readonly userCode: string;
  /** Never rejects. */
  readonly completed: Promise<LoginOutcome>;
  /** False when it was too late. */
  cancel(): boolean;
}

const shortestIntervalMs = 1000;
const usualIntervalMs = 5000;
/** How much slower to ask after `slow_down` (RFC 8628, section 3.5). */
const slowDownMs = 5000;
const askTimeoutMs = 20_000;

/** Seconds, as a number or quoted. */
const interval = z.coerce.number().positive().max(60).optional().catch(undefined);
const userCodeSchema = z
  .object({ device_auth_id: z.string().min(1), interval })
  .and(z.union([z.object({ user_code: z.string().min(1) }), z.object({ usercode: z.string().min(1) })]));
const grantedSchema = z.object({
  authorization_code: z.string().min(1),
  code_verifier: z.string().min(1),
});

/** Asks for a code to show, then polls in the background until the person is done. Resolves with the code. */
export async function runDeviceLogin(attempt: LoginAttempt, context: LoginContext): Promise<string> {
  const { endpoints, clientId } = context;
  const response = await post(context, endpoints.deviceUserCodeUrl, { client_id: clientId }, attempt.signal);
  const body = response === undefined ? undefined : await readJsonAnswer(response);
  if (response?.status === 404) {
    throw new AuthManagerError(
      "ERR_AUTH_MANAGER_DEVICE_LOGIN_UNAVAILABLE",
      "The authorization server does not offer a login with a device code.",
      { status: 404 },
    );
  }
  const parsed = userCodeSchema.safeParse(body);
  attempt.signal.throwIfAborted();
  if (response === undefined || response.status < 200 || response.status > 299 || !parsed.success) {
    throw failed("The authorization server gave no device code.", response?.status);
  }
  const { data } = parsed;
  const userCode = "user_code" in data ? data.user_code : data.usercode;
  attempt.run(async (signal) => {
    const granted = await poll(
      context,
      { deviceAuthId: data.device_auth_id, userCode },
      data.interval,
      signal,
    );
    const tokens = await exchangeCode({
      transport: context.transport,
      loginTokenUrl: endpoints.loginTokenUrl,
      clientId,
      code: granted.authorization_code,
      redirectUri: endpoints.deviceRedirectUri,
      verifier: granted.code_verifier,
    });
    return AccountCredential.fromLogin(tokens, {
      provenance: { issuer: endpoints.issuer, clientId },
      ownerId: randomBytes(32).toString("base64url"),
      receivedAtMs: context.now(),
    });
  });
  attempt.completed.finally(() => attempt.done());
  return userCode;
}

/** Asks until the answer is final. The attempt's own timeout ends an endless wait. */
async function poll(
  context: LoginContext,
  ask: { readonly deviceAuthId: string; readonly userCode: string },
  intervalSeconds: number | undefined,
  signal: AbortSignal,
): Promise<z.infer<typeof grantedSchema>> {
  let waitMs = Math.max(
    shortestIntervalMs,
    intervalSeconds === undefined ? usualIntervalMs : intervalSeconds * 1000,
  );
  for (;;) {
    const answer = { device_auth_id: ask.deviceAuthId, user_code: ask.userCode };
    const response = await post(context, context.endpoints.deviceTokenUrl, answer, signal);
    const body = response === undefined ? undefined : await readJsonAnswer(response);
    signal.throwIfAborted();
    if (response !== undefined && response.status >= 200 && response.status < 300) {
      const granted = grantedSchema.safeParse(body);
      if (!granted.success) throw failed("The authorization server's device answer was not understood.");
      return granted.data;
    }
    const verdict = pending(response?.status, serverCodeOf(body));
    if (verdict === "no") throw failed("The authorization server ended the device login.", response?.status);
    if (verdict === "slower") waitMs += slowDownMs;
    const nowMs = context.now();
    const askedForMs = response === undefined ? undefined : retryAfterAtMs(response.headers, nowMs);
    await context.sleep(Math.max(waitMs, (askedForMs ?? nowMs) - nowMs), signal);
  }
}

/** What an answer that grants nothing means. No answer and 5xx are passing faults, not the end of a login. */
function pending(status: number | undefined, serverCode: string | undefined): "same" | "slower" | "no" {
  if (serverCode === "slow_down" || status === 429) return "slower";
  if (serverCode === "access_denied" || serverCode === "expired_token") return "no";
  if (status === undefined || status >= 500 || status === 403 || status === 404) return "same";
  return serverCode === "authorization_pending" ? "same" : "no";
}

async function post(
  context: LoginContext,
  url: URL,
  body: Record<string, string>,
  signal: AbortSignal,
): Promise<HttpResponse | undefined> {
  signal.throwIfAborted();
  try {
    return await context.transport.send({
      method: "POST",
      url,
      headers: [
        ["content-type", "application/json"],
        ["accept", "application/json"],
      ],
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(askTimeoutMs)]),
      limits: { maxResponseBytes: maxAnswerBytes },
    });
  } catch {
    // A foreign error may quote the codes; to the caller it is an answer that did not come.
    signal.throwIfAborted();
    return undefined;
  }
}

function failed(message: string, status?: number): AuthManagerError {
  return new AuthManagerError("ERR_AUTH_MANAGER_LOGIN_FAILED", message, { retry: "now", status });
}
