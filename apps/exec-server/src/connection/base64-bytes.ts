import { z } from "zod";

/** Bytes as standard base64 with padding. */
export const base64Bytes = z.string().transform((text, context): Buffer => {
  const bytes = Buffer.from(text, "base64");
  // Node skips what is not base64; then fewer bytes come out than the length says.
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  if (text.length % 4 === 0 && bytes.byteLength === (text.length / 4) * 3 - padding) return bytes;
  context.addIssue({ code: "custom", message: "invalid base64" });
  return z.NEVER;
});
