// The event reader alone, on the fetch you already have. No HTTP client comes with it.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { sseStream } from "@hawser/retry-sse/sse";

const server = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write("event: delta\ndata: hello\n\n: keep-alive\n\n");
  response.write("event: done\ndata: {}\n\n"); // and the socket stays open
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

const { body } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
if (body === null) throw new Error("there is no body");
for await (const { event, data } of sseStream(body, {
  idleTimeoutMs: 5_000,
  isTerminal: ({ event }) => event === "done",
})) {
  console.log(event, data);
}
server.closeAllConnections();
server.close();
