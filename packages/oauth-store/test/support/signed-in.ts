import { HOUR } from "./hour.ts";
import { credentialOf, type Session, type Setting } from "./memory-setting.ts";

/** A session that has just logged in, and what the authority issued for that. */
export async function signedIn(
  setting: Setting,
  leftMs = HOUR,
): Promise<{ mine: Session; issued: { accessToken: string; refreshToken: string } }> {
  const issued = setting.authority.login();
  const mine = setting.session();
  await mine.login(credentialOf(issued, leftMs));
  return { mine, issued };
}
