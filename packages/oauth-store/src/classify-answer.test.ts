import { describe, expect, it } from "vitest";
import { type AnswerClass, classifyAnswer } from "./classify-answer.ts";
import { oauthCredential } from "./oauth-credential.ts";
import type { RefreshGrantAnswer } from "./refresh-grant.ts";

const answered = (status: number, body = ""): RefreshGrantAnswer => ({
  sent: "yes",
  status,
  body: Buffer.from(body),
});

describe(classifyAnswer, () => {
  it.each<[string, RefreshGrantAnswer, Partial<AnswerClass>]>([
    ["not sent", { sent: "no", code: "dns" }, { is: "deferred", code: "dns" }],
    ["perhaps sent", { sent: "unknown", code: "reset" }, { is: "unknown", code: "reset" }],
    ["2xx in JSON", answered(200, '{"a":1}'), { is: "answered", json: { a: 1 } }],
    ["2xx cut", answered(200, '{"a":'), { is: "unknown", code: "unreadable" }],
    ["2xx empty", answered(204), { is: "unknown", code: "unreadable" }],
    ["2xx not UTF-8", { sent: "yes", status: 200, body: Uint8Array.of(0xff) }, { is: "unknown" }],
    ["2xx too long", answered(200, `"${"x".repeat(1024 * 1024)}"`), { is: "unknown" }],
    ["5xx", answered(502), { is: "unknown", code: "http-502" }],
    ["5xx that says invalid_grant", answered(500, '{"error":"invalid_grant"}'), { is: "unknown" }],
    ["invalid_grant", answered(400, '{"error":"invalid_grant"}'), { is: "refused", code: "invalid_grant" }],
    [
      "invalid_client",
      answered(401, '{"error":"invalid_client"}'),
      { is: "refused", code: "invalid_client" },
    ],
    ["another error", answered(400, '{"error":"slow_down"}'), { is: "deferred", code: "slow_down" }],
    ["an echo for an error", answered(400, '{"error":"rt-Zm9v123"}'), { is: "deferred", code: "http-400" }],
    ["a page", answered(403, "<html>invalid_grant"), { is: "deferred", code: "http-403" }],
    ["too many", answered(429), { is: "deferred", code: "http-429" }],
    ["a redirect", answered(307), { is: "deferred", code: "http-307" }],
  ])("%s", (_name, answer, expected) =>
    expect(classifyAnswer(answer, oauthCredential)).toMatchObject(expected),
  );
});
