import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { startLocalUpstream } from "../src/index.ts";

const run = promisify(execFile);

describe(startLocalUpstream, () => {
  it("prints no secret that passed through it, and labels each by kind and order", async () => {
    await using upstream = await startLocalUpstream();
    const { refreshToken, accessToken } = upstream.account.issueTokens();
    const response = await fetch(upstream.account.tokenUrl, {
      method: "POST",
      headers: { "content-type": "application/json", cookie: "_session=very-secret; __cflb=west" },
      body: JSON.stringify({
        grant_type: "refresh_token",
        refresh_token: refreshToken,
        code: "other-secret",
      }),
    });
    const renewed = (await response.json()) as { refresh_token: string; access_token: string };
    const authorization = `Bearer ${renewed.access_token}`;
    await fetch(`${upstream.model.baseUrl}/models`, { headers: { authorization } });

    expect(upstream.seen).toMatchObject([
      { grant: "refresh_token", credential: "account-refresh#1", status: 200 },
      { path: "/v1/models", credential: "account-access#2", status: 200 },
    ]);
    expect(upstream.seen[0]?.bodyJson).toMatchObject({ refresh_token: refreshToken });
    const renewedSecrets = [renewed.refresh_token, renewed.access_token];
    const secrets = [refreshToken, accessToken, ...renewedSecrets, "very-secret", "other-secret"];
    for (const text of [inspect(upstream.seen, { depth: null }), JSON.stringify(upstream.seen)]) {
      for (const secret of secrets) expect(text).not.toContain(secret);
      expect(text).toContain("<account-refresh#1>");
      expect(text).toContain("__cflb=west");
    }
  });

  it("ends waits when it closes, and takes its files with it", async () => {
    const upstream = await startLocalUpstream();
    expect(existsSync(upstream.ca.file)).toBe(true);
    const never = expect(upstream.waitFor(() => false)).rejects.toThrow("closed");
    const abandoned = AbortSignal.abort(new Error("enough"));
    await expect(upstream.waitFor(() => false, { signal: abandoned })).rejects.toThrow("enough");
    await upstream.close();
    await never;
    expect(existsSync(upstream.ca.file)).toBe(false);
    await upstream.close();
  });

  it("leaves no handle behind: a process that closes it ends by itself", async () => {
    const script = fileURLToPath(new URL("./start-and-stop.ts", import.meta.url));
    const flags = ["--conditions=hawser-source", "--disable-warning=ExperimentalWarning"];
    const { stdout, stderr } = await run(process.execPath, [...flags, script], { timeout: 15_000 });
    expect({ stdout, stderr }).toEqual({ stdout: "closed\n", stderr: "" });
  });
});
