import { connectParent } from "@hawser/test-kit";
import { createDispatcher, createUndiciTransport } from "@hawser/transport";
import { createAuthManager } from "../src/index.ts";

/** One process of several that share a home: refreshes when told to, and says what it then holds. */
const [home = "", issuer = ""] = process.argv.slice(2);
const parent = connectParent();
const dispatcher = createDispatcher({ connections: "fresh" });
const account = createAuthManager({
  home,
  transport: createUndiciTransport({ dispatcher }),
  endpoints: { issuer },
  clientId: "app_local",
});
await account.auth();
parent.send("ready");
await parent.receive();
const status = await account.status({ refresh: true });
parent.send({ method: status.method, token: status.token, reason: status.failure?.reason ?? null });
await account[Symbol.asyncDispose]();
await dispatcher.destroy();
parent.close();
