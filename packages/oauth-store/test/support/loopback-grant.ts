import { request } from "node:http";
import type { OAuthCredential, RefreshGrant, RefreshGrantAnswer } from "../../src/index.ts";

/** A grant over a fresh connection to a loopback endpoint, as a caller of this package would write one. */
export function loopbackGrant(url: string): RefreshGrant<OAuthCredential> {
  return ({ refreshToken, signal }) =>
    new Promise<RefreshGrantAnswer>((resolve) => {
      const lost = () => resolve({ sent: "unknown", code: "reset" });
      const post = request(url, { method: "POST", agent: false, signal }, (answer) => {
        const pieces: Buffer[] = [];
        answer.on("data", (piece: Buffer) => pieces.push(piece));
        answer.on("error", lost);
        answer.on("end", () => {
          const waitS = Number(answer.headers["retry-after"]);
          const retryAtMs = waitS > 0 ? Date.now() + waitS * 1000 : undefined;
          resolve({ sent: "yes", status: answer.statusCode ?? 0, body: Buffer.concat(pieces), retryAtMs });
        });
      });
      post.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ECONNREFUSED") resolve({ sent: "no", code: "connect" });
        else lost();
      });
      post.end(JSON.stringify({ refresh_token: refreshToken }));
    });
}
