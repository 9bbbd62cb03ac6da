import { type Act, enterWindow, holdsLock, isAt, LOGIN_TOKENS, leave, type Machine, use } from "./machine.ts";
import {
  HELD,
  ownerAt,
  recordAt,
  refreshTokenAt,
  setBodyAt,
  setOwnerAt,
  setStateAt,
  stateAt,
  TORN_BODY,
  UNREADABLE,
} from "./spend-record.ts";
import {
  ASKED,
  ATTEMPT,
  ATTEMPTS,
  at,
  BASE,
  CREDENTIALS,
  CURRENT,
  hasFlag,
  NEXT,
  of,
  PC,
  PENDING,
  REQUEST,
  SENDS,
  type State,
  UNSAVED,
  UNSEALED,
} from "./state.ts";
import {
  BACKING_OFF,
  doubt,
  loseAnswer,
  mark,
  refreshTokenOf,
  sendsOf,
  setOutcome,
  UNKNOWN_OUTCOME,
} from "./tokens.ts";

/** A process that crashed is started again, and is asked once. */
export const RESTARTED = 200;

/** Power fails while an answer is being sealed: the body is torn, or whole, or the header is torn after it. */
export function tornSeals(m: Machine, s: State, p: number, act: Act): undefined {
  const answer = of(s, p, NEXT);
  const record = recordAt(refreshTokenOf(m, of(s, p, BASE)), of(s, p, ATTEMPT));
  const tear = (action: "crash while sealing" | "crash after the body" | "crash in the header"): undefined =>
    act(action, (n) => {
      use(n, "torn seal");
      setBodyAt(n, record, action === "crash while sealing" ? TORN_BODY : 2 + answer);
      if (action === "crash in the header") setStateAt(n, record, UNREADABLE);
      if (action !== "crash while sealing") n[SENDS + refreshTokenOf(m, of(n, p, BASE))] = 3;
      crash(m, n, p);
    });
  tear("crash while sealing");
  tear("crash after the body");
  tear("crash in the header");
}

export function isWorthKilling(m: Machine, s: State, p: number): boolean {
  if (holdsLock(s, p) || of(s, p, UNSAVED) !== 0 || of(s, p, PENDING) !== 0) return true;
  return of(s, p, CURRENT) !== 0 && (m.scenario.faults["store goes back"] ?? 0) > 0;
}

export function crash(m: Machine, n: State, p: number): undefined {
  const isMidway = isAt(n, p, "sent") || isAt(n, p, "answered");
  const isClaimed = isMidway || isAt(n, p, "recheck") || isAt(n, p, "send");
  if (isClaimed) {
    const refreshToken = refreshTokenOf(m, of(n, p, BASE));
    const isReceived = isAt(n, p, "answered") && (sendsOf(n, refreshToken) & 7) === 3;
    if (isMidway && !isReceived) loseAnswer(m, n, refreshToken);
    else if (!isReceived) doubt(n, refreshToken);
    if (isMidway && of(n, p, ATTEMPT) > 1) mark(n, refreshToken, BACKING_OFF);
    if (m.scenario.unsealable) enterWindow(n, "unsealed token");
  }
  if (isAt(n, p, "commit") && hasFlag(n, p, UNSEALED)) loseUnsealed(m, n, refreshTokenOf(m, of(n, p, BASE)));
  if (of(n, p, UNSAVED) === LOGIN_TOKENS) enterWindow(n, "login not saved");
  for (let record = recordAt(1, 1); record <= recordAt(CREDENTIALS, ATTEMPTS); record += 2) {
    if (ownerAt(n, record) !== p + 1) continue;
    setOwnerAt(n, record, 0);
    if (stateAt(n, record) === HELD) loseUnsealed(m, n, refreshTokenAt(record));
  }
  leave(n, p, "idle");
  const request = of(n, p, REQUEST);
  n.fill(0, at(p, PC), at(p + 1, PC));
  n[at(p, REQUEST)] = request;
  n[at(p, ASKED)] = RESTARTED;
}

/** A successor that was in this process only dies with it. */
function loseUnsealed(m: Machine, n: State, refreshToken: number): undefined {
  if (m.scenario.unsealable) enterWindow(n, "unsealed token");
  else if (m.rules.seal) enterWindow(n, "custodian died");
  else return;
  setOutcome(n, refreshToken, UNKNOWN_OUTCOME);
  doubt(n, refreshToken);
}
