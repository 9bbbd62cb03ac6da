import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { createUndiciTransport } from "../src/index.ts";

it("sends", async () => {
  const server = createServer((request, response) => {
    request.pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x?y=1`);
  const transport = createUndiciTransport();
  const response = await transport.send({ method: "POST", url, headers: [], body: { json: { a: 1 } } });
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ a: 1 });
  await transport[Symbol.asyncDispose]();
  server.close();
});
