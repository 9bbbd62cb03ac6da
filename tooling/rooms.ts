/**
 * The rooms as data: what each promises, which rooms it may open, which words it never says, and which of those
 * words a protocol dictates all the same. `check-rooms.ts` enforces it. A change that needs a new arrow or word
 * changes this table in the same pull request and says why.
 */
export interface Room {
  /** Folder below the root. */
  readonly folder: string;
  readonly promise: string;
  /** Workspace packages it may import at run time. `"any package"` for the apps. */
  readonly opens: readonly string[];
  /** Words that must not stand in its identifiers, strings and import paths. */
  readonly neverSays: readonly string[];
  /** Exceptions: `file` is relative to the room's `src`. */
  readonly wire: readonly { readonly word: string; readonly file: string; readonly why: string }[];
}

const PRODUCTS = ["codex", "openai", "chatgpt", "anthropic", "claude"];
const PACKAGES = [
  "@hawser/transport",
  "@hawser/retry-sse",
  "@hawser/cf-affinity-jar",
  "@hawser/client-identity",
  "@hawser/oauth-store",
  "@hawser/auth-manager",
  "@hawser/mcp-http",
];

export const rooms: readonly Room[] = [
  {
    folder: "packages/transport",
    promise: "Sends one request once.",
    opens: [],
    neverSays: ["token", "cookie", "mcp", ...PRODUCTS],
    wire: [
      {
        word: "cookie",
        file: "sensitive-headers.ts",
        why: "a redirect to another origin strips the header of that name",
      },
    ],
  },
  {
    folder: "packages/retry-sse",
    promise: "Sends again when a policy says so; turns bytes into events.",
    opens: [],
    neverSays: ["token", "cookie", "mcp", ...PRODUCTS],
    wire: [],
  },
  {
    folder: "packages/cf-affinity-jar",
    promise: "Remembers affinity cookies for allowed hosts, in memory.",
    opens: ["@hawser/transport"],
    neverSays: ["token", "mcp"],
    wire: [],
  },
  {
    folder: "packages/client-identity",
    promise: "Says who is asking, per connection.",
    opens: ["@hawser/transport"],
    neverSays: ["token", "cookie", "mcp"],
    wire: [],
  },
  {
    folder: "packages/oauth-store",
    promise: "Keeps credentials; serializes every change to them.",
    opens: [],
    neverSays: ["request", "response", "headers", ...PRODUCTS],
    wire: [
      {
        word: "headers",
        file: "store-key.ts",
        why: "the store key is a hash over a JSON text with a member of that name",
      },
    ],
  },
  {
    folder: "packages/auth-manager",
    promise: "Owns the account's login.",
    opens: ["@hawser/transport", "@hawser/oauth-store"],
    neverSays: ["cookie", "mcp"],
    wire: [],
  },
  {
    folder: "packages/mcp-http",
    promise: "Speaks MCP over HTTP; answers a 401 once, a lost session once.",
    opens: ["@hawser/transport", "@hawser/retry-sse", "@hawser/oauth-store"],
    neverSays: ["cookie", "account", ...PRODUCTS],
    wire: [],
  },
  {
    folder: "apps/exec-server",
    promise: "Composes rooms; holds no policy of its own.",
    opens: [...PACKAGES, "@hawser/json-rpc"],
    neverSays: [],
    wire: [],
  },
  {
    folder: "apps/app-server",
    promise: "Composes rooms; holds no policy of its own.",
    opens: [...PACKAGES, "@hawser/exec-server/client", "@hawser/json-rpc"],
    neverSays: [],
    wire: [],
  },
  {
    folder: "internal/test-kit",
    promise: "Judges the rooms; shares no code with them.",
    opens: [],
    neverSays: [],
    wire: [],
  },
  {
    folder: "internal/local-upstream",
    promise: "A whole provider on loopback; shares no code with what it judges.",
    opens: [],
    neverSays: [],
    wire: [],
  },
  {
    folder: "internal/json-rpc",
    promise: "Dispatches JSON-RPC over a bounded channel.",
    opens: [],
    neverSays: ["token", "cookie", "mcp", ...PRODUCTS],
    wire: [],
  },
];
