import { proves } from "@hawser/test-kit";
import { describe, expect, it } from "vitest";
import { expectOk } from "./expect-ok.ts";
import { scriptedTransport } from "./scripted-transport.ts";

const url = new URL("https://a.example/?key=secret");

describe(expectOk, () => {
  it.each([200, 204, 299])("hands on %i", async (status) => {
    const response = await scriptedTransport([{ status }]).send({ method: "GET", url, headers: [] });

    expect(await expectOk(response)).toBe(response);
  });

  it.each([
    [302, "never"],
    [401, "never"],
    [404, "never"],
    [429, "after"],
    [501, "never"],
    [503, "after"],
  ])("makes an error of %i and gives up its body", proves("transport/faults"), async (status, retry) => {
    const transport = scriptedTransport([{ status, body: "why" }]);
    const response = await transport.send({ method: "GET", url, headers: [] });

    await expect(expectOk(response)).rejects.toMatchObject({
      code: "ERR_TRANSPORT_STATUS",
      status,
      retry,
      sent: "yes",
      url: "https://a.example/?key=…",
    });
    expect(transport.cancelled).toBe(1);
  });
});
