import type { HttpResponse } from "@hawser/transport";

/** An answer of the authorization server beyond this is not one. */
export const maxAnswerBytes: number = 1024 * 1024;

/** The whole body, or undefined when it is cut or too long: both leave nothing that could be trusted. */
export async function readAnswer(response: HttpResponse): Promise<Uint8Array | undefined> {
  try {
    const body = await response.bytes();
    return body.byteLength <= maxAnswerBytes ? body : undefined;
  } catch {
    // The error of a broken body may quote what was read; only the fact counts.
    await response.cancel();
    return undefined;
  }
}

/** The body as JSON; undefined when it is none. Use it for small answers whose fields are picked one by one. */
export async function readJsonAnswer(response: HttpResponse): Promise<unknown> {
  const body = await readAnswer(response);
  if (body === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    // A parse error quotes the text, which may hold a token.
    return undefined;
  }
}
