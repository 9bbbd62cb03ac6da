import { createHash, randomBytes, randomInt } from "node:crypto";
import { type Exchange, sendJson } from "./loopback-server.ts";

/** Sign-in of a device without a browser: it shows a code that somebody approves elsewhere. */
export interface DeviceFlow {
  /** Gives out a code. */
  start(exchange: Exchange): void;
  /** 403 until the code is approved, then a grant with its own PKCE pair, once. */
  poll(exchange: Exchange): void;
  /** The page a person types the code into. */
  page(exchange: Exchange): void;
  approve(userCode: string): void;
}

export interface DeviceFlowOptions {
  grantCode: (clientId: string, challenge: string) => string;
}

export function createDeviceFlow({ grantCode }: DeviceFlowOptions): DeviceFlow {
  const devices = new Map<string, { userCode: string; clientId: string; approved: boolean }>();
  const byUserCode = (userCode: string | null) =>
    [...devices.values()].find((one) => one.userCode === userCode);

  return {
    start({ seen, response }) {
      const { client_id: clientId = "" } = (seen.bodyJson ?? {}) as { client_id?: string };
      const id = `dev-${randomBytes(12).toString("base64url")}`;
      const userCode = `${randomInt(1000, 9999)}-${randomInt(1000, 9999)}`;
      devices.set(id, { userCode, clientId, approved: false });
      // The interval is a string of seconds there, and so it is here.
      sendJson(response, 200, { device_auth_id: id, user_code: userCode, interval: "1" });
    },
    poll({ seen, response }) {
      const asked = (seen.bodyJson ?? {}) as { device_auth_id?: string; user_code?: string };
      const id = asked.device_auth_id ?? "";
      const device = devices.get(id);
      if (device === undefined || device.userCode !== asked.user_code || !device.approved) {
        sendJson(response, 403, { error: "authorization_pending" });
        return;
      }
      devices.delete(id);
      const verifier = randomBytes(48).toString("base64url");
      const challenge = createHash("sha256").update(verifier).digest("base64url");
      const code = grantCode(device.clientId, challenge);
      const answer = { authorization_code: code, code_challenge: challenge, code_verifier: verifier };
      sendJson(response, 200, answer);
    },
    page({ url, response }) {
      const device = byUserCode(url.searchParams.get("user_code"));
      if (device) device.approved = true;
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      response.end(device ? approvedPage : codePage);
    },
    approve(userCode) {
      const device = byUserCode(userCode);
      if (!device) throw new Error("that device code was never given out, or is used already");
      device.approved = true;
    },
  };
}

const approvedPage = "<!doctype html><title>Signed in</title><p>Signed in. You may close this page.</p>";
const codePage =
  "<!doctype html><title>Sign in a device</title><form><label>Code <input name=user_code></label><button>Sign in</button></form>";
