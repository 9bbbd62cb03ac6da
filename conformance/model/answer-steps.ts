import { refused } from "./judge.ts";
import { type Act, conclude, enter, leave, left, type Machine, SPENDING, startOver, use } from "./machine.ts";
import {
  clearRecord,
  DEFERRED,
  GIVEN_BACK,
  HELD,
  hasMark,
  isWritable,
  LEASED,
  PUT_OFF,
  REFUSED,
  recordAt,
  SEALED,
  setBodyAt,
  setMark,
  setOwnerAt,
  setStateAt,
  stateAt,
  UNCERTAIN,
  UNKNOWN,
  WRONG_OWNER_BODY,
} from "./spend-record.ts";
import {
  ANSWER,
  ATTEMPT,
  at,
  BASE,
  get,
  MODE,
  NEXT,
  OVERSLEPT,
  OWN_BACKOFF,
  of,
  STORE,
  type State,
  setFlag,
  UNSEALED,
} from "./state.ts";
import {
  ANSWERED,
  BACKING_OFF,
  DOUBT,
  loseAnswer,
  mark,
  NOT_CONSUMED,
  REFUSED_BY_SERVER,
  refreshTokenOf,
  setOutcome,
  UNKNOWN_OUTCOME,
} from "./tokens.ts";

/** Answers that are no credential. */
export const REFUSAL = 20;

export const SERVER_ERROR = 21;

export const BUSY = 22;

/** With the number of what was issued to somebody else. */
export const OTHER_OWNER = 40;

/** Marks an attempt as failed and puts the next one off, for everybody. */
export function putOff(m: Machine, n: State, p: number, state: typeof UNKNOWN | typeof DEFERRED): undefined {
  const refreshToken = refreshTokenOf(m, of(n, p, BASE));
  const record = recordAt(refreshToken, of(n, p, ATTEMPT));
  const isOurs = isWritable(n, record, p) || !m.rules.claim;
  if (isOurs) {
    setStateAt(n, record, state);
    setMark(n, record, PUT_OFF, true);
    setMark(n, record, LEASED, false);
    setOwnerAt(n, record, 0);
  }
  // The latest that came to nothing tells of those before it.
  for (let earlier = 1; earlier < of(n, p, ATTEMPT); earlier += 1) {
    const other = recordAt(refreshToken, earlier);
    if ([UNKNOWN, DEFERRED, GIVEN_BACK].includes(stateAt(n, other))) clearRecord(n, other);
  }
  if (state === DEFERRED) noteOutcome(n, p, refreshToken, NOT_CONSUMED);
  mark(n, refreshToken, BACKING_OFF);
  setFlag(n, p, OWN_BACKOFF);
  leave(n, p, "back-off");
}

/** Steps 9 and 10: the outcome is written down; a successor is sealed first. */
export function answered(m: Machine, s: State, p: number, act: Act): undefined {
  const answer = of(s, p, NEXT);
  const issued = answer > OTHER_OWNER ? answer - OTHER_OWNER : answer;
  const refreshToken = refreshTokenOf(m, of(s, p, BASE));
  const record = recordAt(refreshToken, of(s, p, ATTEMPT));
  const close = (n: State, state: number, body: number): undefined => {
    if (!isWritable(n, record, p) && m.rules.claim) return;
    setStateAt(n, record, state);
    setBodyAt(n, record, body);
    setOwnerAt(n, record, 0);
    setMark(n, record, LEASED, false);
  };
  if (answer === REFUSAL) {
    return act("note refusal", (n) => {
      close(n, REFUSED, 2 + of(n, p, BASE));
      noteOutcome(n, p, refreshToken, REFUSED_BY_SERVER);
      n[at(p, NEXT)] = 0;
      if (m.scenario.faults["foreign writer"] && m.rules["foreign-poll"]) enter(n, p, "poll");
      else believe(m, n, p);
    });
  }
  if (answer === SERVER_ERROR || answer === BUSY) {
    return act("note failure", (n) => {
      if (answer === SERVER_ERROR) {
        noteOutcome(n, p, refreshToken, UNKNOWN_OUTCOME);
        mark(n, refreshToken, DOUBT);
      }
      putOff(m, n, p, answer === BUSY ? DEFERRED : UNKNOWN);
    });
  }
  if (answer > OTHER_OWNER && m.rules["wrong-owner"]) {
    return act("seal for another", (n) => {
      noteOutcome(n, p, refreshToken, ANSWERED);
      close(n, SEALED, WRONG_OWNER_BODY);
      conclude(n, p, "wrong-owner");
      leave(n, p, "idle");
    });
  }
  const receive = (n: State): undefined => {
    noteOutcome(n, p, refreshToken, ANSWERED);
    n[at(p, NEXT)] = issued;
    n[at(p, MODE)] = SPENDING;
    enter(n, p, "commit");
  };
  const canSeal = m.rules.seal && m.scenario.unsealable !== true;
  if (!canSeal || left(s, "seal fails") > 0) {
    act(canSeal ? "fail to seal" : "hold unsealed", (n) => {
      if (canSeal) use(n, "seal fails");
      receive(n);
      setFlag(n, p, UNSEALED);
      if (!isWritable(n, record, p) && m.rules.claim) return;
      if (m.rules["held-record"]) setStateAt(n, record, HELD);
      else setOwnerAt(n, record, 0);
    });
  }
  if (!canSeal) return;
  act("seal", (n) => {
    receive(n);
    close(n, SEALED, 2 + issued);
  });
}

/** The server's word, for what the store still holds. */
export function believe(m: Machine, n: State, p: number): undefined {
  const base = of(n, p, BASE);
  const stored = get(n, STORE);
  const refreshToken = refreshTokenOf(m, base);
  if (stored === 0 || refreshTokenOf(m, stored) !== refreshToken) return startOver(n, p);
  const record = recordAt(refreshToken, of(n, p, ATTEMPT));
  refused(n, p, refreshToken, hasMark(n, record, UNCERTAIN));
}

/** Whoever sent it and slept past its lease: its outcome counts as unknown, whatever it does on waking. */
function noteOutcome(n: State, p: number, refreshToken: number, outcome: number): undefined {
  if (of(n, p, OVERSLEPT) === 0) setOutcome(n, refreshToken, outcome);
}

export function loseTrack(m: Machine, n: State, p: number): undefined {
  n[at(p, ANSWER)] = 0;
  if (of(n, p, OVERSLEPT) === 0) loseAnswer(m, n, refreshTokenOf(m, of(n, p, BASE)));
  putOff(m, n, p, UNKNOWN);
}
