// Any SDK that takes a fetch gets identity, affinity and bounded retries under it, and knows nothing of them.
import {
  createIdentityScope,
  parseClientInfo,
  processIdentity,
  withIdentityHeaders,
} from "@hawser/client-identity";
import { withRetry } from "@hawser/retry-sse";
import { toFetch } from "@hawser/transport";
import { scriptedTransport } from "@hawser/transport/testing";

const scope = createIdentityScope(processIdentity({ name: "example", version: "1.0.0" }));
const wire = scriptedTransport([{ status: 503 }, { status: 200, body: "fine" }]);
const fetch = toFetch(withRetry({ baseDelayMs: 1 })(withIdentityHeaders(scope)(wire)));

const editor = parseClientInfo({ name: "my_editor", version: "2.0.0" }, { process: scope.process });
const answer = await scope.run(editor, () => fetch("https://service.example/"));
const sentAs = wire.seen.map(
  ({ headers }) => headers.find(([name]) => name.toLowerCase() === "originator")?.[1],
);
console.log(`${await answer.text()}, sent ${sentAs.length} times as ${sentAs[0]}`);
