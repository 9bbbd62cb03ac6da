import type { RefreshGrantAnswer } from "@hawser/oauth-store";
import type { Scenario } from "../scenario.ts";
import { credentialOf, FAMILIES, familyOf, generationOf } from "../state.ts";
import type { NamedCredential } from "./simulated-kind.ts";

/** An authorization server of one of the four kinds, which numbers what it issues as the model does. */
export class SimulatedServer {
  /** Credentials whose refresh tokens were presented, in order. */
  readonly presented: number[] = [];
  readonly #scenario: Scenario;
  readonly #newest = new Array<number>(FAMILIES).fill(0);
  readonly #revoked = new Array<boolean>(FAMILIES).fill(false);
  #grace = false;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  get revoked(): readonly boolean[] {
    return this.#revoked;
  }

  /** The credential of a number: its tokens, and whose it is. */
  credential(number: number): NamedCredential {
    const first = this.#scenario.server === "keeps" ? credentialOf(familyOf(number), 0) : number;
    const padding = this.#scenario.unsealable ? "" : "-0123456789abcdefghijklmnop";
    const account = familyOf(number) === 1 && this.#scenario.otherAccount ? "B" : "A";
    return { number, account, refreshToken: `rt-${first}${padding}` };
  }

  /** What a refresh token is worth: the successor's number, or undefined. */
  redeem(refreshToken: string): number | undefined {
    const number = numberOf(refreshToken);
    const family = familyOf(number);
    const newest = this.#newest[family] ?? 0;
    if (this.#revoked[family]) return undefined;
    if (this.#scenario.server === "keeps" || generationOf(number) === newest) {
      this.#newest[family] = newest + 1;
      this.#grace = this.#scenario.server === "rotates with grace";
      return credentialOf(family, newest + 1);
    }
    if (this.#grace && generationOf(number) === newest - 1) return credentialOf(family, newest);
    if (this.#scenario.server === "rotates and revokes") this.#revoked[family] = true;
    return undefined;
  }

  endGrace(): void {
    this.#grace = false;
  }

  revoke(refreshToken: string): void {
    const number = numberOf(refreshToken);
    const family = familyOf(number);
    const isNewest = this.#scenario.server === "keeps" || generationOf(number) === this.#newest[family];
    if (isNewest) this.#revoked[family] = true;
  }

  answer(refreshToken: string): RefreshGrantAnswer {
    const number = this.redeem(refreshToken);
    return number === undefined ? json(400, { error: "invalid_grant" }) : this.#issued(number, "own");
  }

  answerForAnother(refreshToken: string): RefreshGrantAnswer {
    const number = this.redeem(refreshToken);
    return number === undefined ? json(400, { error: "invalid_grant" }) : this.#issued(number, "another");
  }

  #issued(number: number, whose: "own" | "another"): RefreshGrantAnswer {
    const { account, refreshToken } = this.credential(number);
    const keeps = this.#scenario.server === "keeps";
    return json(200, {
      number,
      account: whose === "own" ? account : "somebody else",
      ...(keeps ? {} : { refresh_token: refreshToken }),
    });
  }
}

export function json(status: number, value: unknown): RefreshGrantAnswer {
  return { sent: "yes", status, body: Buffer.from(JSON.stringify(value)) };
}

function numberOf(refreshToken: string): number {
  return Number(refreshToken.split("-")[1]);
}
