import { inspect } from "node:util";
import { proves } from "@hawser/test-kit";
import type { HeaderList } from "@hawser/transport";
import { describe, expect, it } from "vitest";
import { request, scriptedOrigin } from "../test/scripted-origin.ts";
import { isAffinityError } from "./errors.ts";
import { isCloudflareChallenge, withChallengeErrors } from "./with-challenge-errors.ts";

const html: HeaderList = [["content-type", "text/html; charset=UTF-8"]];

describe(isCloudflareChallenge, () => {
  it.each([
    [403, [...html, ["cf-ray", "8a-FRA"]], true],
    [403, [...html, ["server", "cloudflare"]], true],
    [503, [["CF-Mitigated", "challenge"]], true],
    [200, [["cf-mitigated", "challenge"]], true],
    [403, html, false],
    [
      403,
      [
        ["content-type", "application/json"],
        ["cf-ray", "8a-FRA"],
      ],
      false,
    ],
    [
      403,
      [
        ["content-type", "text/htmlx"],
        ["cf-ray", "8a-FRA"],
      ],
      false,
    ],
    [403, [["cf-ray", "8a-FRA"]], false],
    [500, [...html, ["cf-ray", "8a-FRA"]], false],
    [403, [["cf-mitigated", "block"]], false],
  ] as [number, HeaderList, boolean][])("says of %i %j: %s", (status, headers, expected) => {
    expect(isCloudflareChallenge({ status, headers })).toBe(expected);
  });
});

describe(withChallengeErrors, () => {
  it("throws what no retry repeats, and gives the body up", proves("cf-affinity-jar/challenge"), async () => {
    const headers: HeaderList = [...html, ["cf-ray", "8a-FRA"], ["set-cookie", "__cf_bm=planted-secret"]];
    const origin = scriptedOrigin({ status: 403, headers });
    const sent = withChallengeErrors()(origin).send(request("https://chatgpt.com/path?key=planted-secret"));
    const error = await sent.then(
      () => undefined,
      (reason: unknown) => reason,
    );

    expect(error).toMatchObject({
      code: "ERR_CF_AFFINITY_JAR_CHALLENGED",
      retry: "never",
      status: 403,
      rayId: "8a-FRA",
    });
    expect(isAffinityError(error)).toBe(true);
    expect(origin.cancelled).toBe(1);
    expect(inspect(error, { depth: 9 }) + JSON.stringify(error)).not.toContain("planted-secret");
  });

  it("does not repeat a ray id that is none", async () => {
    const origin = scriptedOrigin({ status: 403, headers: [...html, ["cf-ray", "\u001b[31m"]] });
    await expect(withChallengeErrors()(origin).send(request("https://chatgpt.com/"))).rejects.toMatchObject({
      rayId: undefined,
    });
  });

  it("passes every other response, a plain 403 too", async () => {
    const origin = scriptedOrigin({ status: 403, headers: [["content-type", "application/json"]] });
    const response = await withChallengeErrors()(origin).send(request("https://chatgpt.com/"));
    expect([response.status, origin.cancelled]).toEqual([403, 0]);
  });
});
