import type { RefreshGrantAnswer } from "../../src/index.ts";
import { RotatingAuthority } from "./rotating-authority.ts";

/** What a refresh token is answered with, each time it comes, instead of a rotation. */
export type Habit =
  /** A new access token, and nothing about the refresh token: it goes on. */
  | "keeps"
  | "fails"
  | "refuses"
  /** A rotation without an access token. */
  | "no access token"
  /** A rotation whose answer is for another account. */
  | "somebody else";

/** The rotating authority, with habits by refresh token; counts by refresh token too. */
export class KillAuthority extends RotatingAuthority {
  readonly habits = new Map<string, Habit>();
  readonly #sends = new Map<string, number>();

  /** How often it was presented. */
  sendsOf(refreshToken: string): number {
    return this.#sends.get(refreshToken) ?? 0;
  }

  override grant(refreshToken: string): RefreshGrantAnswer {
    this.#sends.set(refreshToken, this.sendsOf(refreshToken) + 1);
    switch (this.habits.get(refreshToken)) {
      case "keeps":
        this.mischief.push({ json: { access_token: this.login().accessToken, expires_in: 3600 } });
        break;
      case "fails":
        this.mischief.push({ status: 500 });
        break;
      case "refuses":
        this.mischief.push({ status: 400, body: '{"error":"invalid_grant"}' });
        break;
      case "no access token":
        return edited(super.grant(refreshToken), ({ access_token: _, ...rest }) => rest);
      case "somebody else":
        return edited(super.grant(refreshToken), (json) => ({ ...json, somebody_else: true }));
    }
    return super.grant(refreshToken);
  }
}

function edited(
  answer: RefreshGrantAnswer,
  edit: (json: Record<string, unknown>) => unknown,
): RefreshGrantAnswer {
  if (answer.sent !== "yes" || answer.status !== 200) return answer;
  const json = JSON.parse(Buffer.from(answer.body).toString("utf8"));
  return { ...answer, body: Buffer.from(JSON.stringify(edit(json))) };
}
