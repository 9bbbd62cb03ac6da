import { fileURLToPath, pathToFileURL } from "node:url";
import { RpcError } from "@hawser/json-rpc";
import { z } from "zod";

/** A path as this protocol writes it: a `file:` URI, percent-encoded, without a host. */
export const pathUri = z.string().transform((text, context): string => {
  const url = URL.parse(text);
  if (url === null) {
    context.addIssue({ code: "custom", message: "invalid URI: relative URL without a base" });
    return z.NEVER;
  }
  if (url.protocol !== "file:") {
    context.addIssue({
      code: "custom",
      message: `unsupported path URI scheme \`${url.protocol.slice(0, -1)}\``,
    });
    return z.NEVER;
  }
  try {
    return fileURLToPath(url);
  } catch {
    throw new RpcError(-32600, `the file URI is invalid on '${process.platform}'`);
  }
});

/** A native path as this protocol writes it. */
export function toPathUri(path: string): string {
  return pathToFileURL(path).href;
}
