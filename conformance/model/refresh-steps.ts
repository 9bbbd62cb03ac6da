import { answered, believe, putOff } from "./answer-steps.ts";
import { attemptsOf, judge } from "./judge.ts";
import {
  type Act,
  breakPromise,
  conclude,
  enter,
  enterWindow,
  isOvertaken,
  leave,
  left,
  type Machine,
  PLACES,
  startOver,
  use,
} from "./machine.ts";
import {
  CLAIMED,
  clearRecord,
  countingAttempt,
  DEFERRED,
  GIVEN_BACK,
  highestAttempt,
  LEASED,
  NONE,
  ownerAt,
  PUT_OFF,
  recordAt,
  SEALED,
  setMark,
  setOwnerAt,
  setStateAt,
  stateAt,
  successorAt,
  UNCERTAIN,
} from "./spend-record.ts";
import {
  ANSWER,
  ATTEMPT,
  ATTEMPTS,
  at,
  BASE,
  DRIFTED,
  dropFlag,
  FOREIGN,
  get,
  hasFlag,
  JUDGED,
  JUDGED_BESIDE,
  NEXT,
  ORPHANS,
  of,
  PC,
  REQUEST,
  STALE_CLAIM,
  STORE,
  type State,
  setFlag,
  UNWRITABLE,
} from "./state.ts";
import {
  ANSWERED,
  BACKING_OFF,
  REFUSED_BY_SERVER,
  refreshTokenOf,
  sendsOf,
  setOutcome,
  UNDER_WAY,
} from "./tokens.ts";

/** Steps of a refresh that this process can take now. */
export function refreshSteps(m: Machine, s: State, p: number, act: Act): undefined {
  const place = PLACES[of(s, p, PC)];
  const base = of(s, p, BASE);
  switch (place) {
    case "read":
      return act("read", (n) => {
        n[at(p, BASE)] = get(n, STORE);
        enter(n, p, "judge");
      });
    case "judge":
      return act("judge", (n) => judge(m, n, p));
    case "claim":
      return act("claim", (n) => claim(m, n, p));
    case "recheck":
      return act("recheck", (n) => {
        const record = recordAt(refreshTokenOf(m, base), of(n, p, ATTEMPT));
        const counts = countingAttempt(n, refreshTokenOf(m, base), m.rules) === of(n, p, ATTEMPT);
        // Where a lock proves nothing, a lease that has run out leaves the record to whoever slept through it.
        const owner = ownerAt(n, record);
        const isMine = owner === p + 1 || (owner === 0 && m.scenario.lock !== "proves death");
        // Also one that was given back tells of somebody who judged later.
        const isHighest =
          counts &&
          (!m.rules["any-other"] || highestAttempt(n, refreshTokenOf(m, base)) === of(n, p, ATTEMPT));
        const moved =
          get(n, STORE) !== base ||
          (m.rules.claim && !(isMine && isHighest && stateAt(n, record) === CLAIMED)) ||
          hasJudgedMoved(m, n, p);
        if (get(n, STORE) !== base || isAnswerSealed(m, n, base)) setFlag(n, p, STALE_CLAIM);
        if (m.rules.recheck && moved) {
          standDown(m, n, p);
          // A lock that was taken away is taken anew before anything else is judged.
          if (m.rules.inode && (get(n, ORPHANS) & (1 << p)) !== 0) leave(n, p, "locking");
          else startOver(n, p);
        } else enter(n, p, "send");
      });
    case "send":
      if (left(s, "not sent") > 0 && !hasFlag(s, p, DRIFTED)) {
        act("fail to send", (n) => {
          use(n, "not sent");
          putOff(m, n, p, DEFERRED);
        });
      }
      return act("send", (n) => send(m, n, p));
    case "sent":
      if (of(s, p, ANSWER) !== 0) {
        act("receive", (n) => {
          n[at(p, NEXT)] = of(n, p, ANSWER);
          n[at(p, ANSWER)] = 0;
          enter(n, p, "answered");
        });
      }
      return;
    case "answered":
      return answered(m, s, p, act);
    case "poll":
      if (get(s, FOREIGN) !== 0) return;
      return act("poll", (n) => believe(m, n, p));
    default:
      return;
  }
}

function claim(m: Machine, n: State, p: number): undefined {
  const { rules } = m;
  const base = of(n, p, BASE);
  const attempt = of(n, p, ATTEMPT);
  const refreshToken = refreshTokenOf(m, base);
  if (rules.rehearsal && get(n, UNWRITABLE) !== 0) {
    conclude(n, p, "absent");
    return leave(n, p, "idle");
  }
  const uncertain = of(n, p, NEXT) !== 0;
  n[at(p, NEXT)] = 0;
  const record = recordAt(refreshToken, attempt);
  if (rules.claim) {
    if (stateAt(n, record) !== NONE) return startOver(n, p);
    setStateAt(n, record, CLAIMED);
    setMark(n, record, LEASED, m.scenario.lock !== "proves death");
    setMark(n, record, PUT_OFF, attempt > 1);
    setOwnerAt(n, record, p + 1);
  }
  setMark(n, record, UNCERTAIN, uncertain);
  enter(n, p, "recheck");
}

/** Whether what would be got for it lies in a record already. */
function isAnswerSealed(m: Machine, s: State, base: number): boolean {
  const refreshToken = refreshTokenOf(m, base);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const record = recordAt(refreshToken, attempt);
    if (stateAt(s, record) === SEALED && successorAt(s, record) > base) return true;
  }
  return false;
}

/** Whoever was taken for dead has gone on, or there is an attempt that was not there. */
function hasJudgedMoved(m: Machine, s: State, p: number): boolean {
  const refreshToken = refreshTokenOf(m, of(s, p, BASE));
  // Where records were removed since, numbers begin anew: one below may be a claim of the living.
  const known = of(s, p, JUDGED_BESIDE) | (1 << (of(s, p, ATTEMPT) - 1));
  if (m.rules["any-other"] && (attemptsOf(s, refreshToken) & ~known) !== 0) return true;
  const judged = of(s, p, JUDGED);
  return judged >> 4 !== 0 && stateAt(s, recordAt(refreshToken, judged >> 4)) !== (judged & 15);
}

/** Gives a claim back: nothing was sent. */
function standDown(m: Machine, n: State, p: number): undefined {
  const record = recordAt(refreshTokenOf(m, of(n, p, BASE)), of(n, p, ATTEMPT));
  const owner = ownerAt(n, record);
  // Whoever slept past its lease has lost the record's lock; what stands where a removed one stood is another's.
  const isOrphan = (get(n, ORPHANS) & (1 << p)) !== 0;
  const isMine = stateAt(n, record) === CLAIMED && (owner === p + 1 || (owner === 0 && !isOrphan));
  if (!isMine) return;
  if (!m.rules["given-back"]) return clearRecord(n, record);
  setStateAt(n, record, GIVEN_BACK);
  // The last keeps its number for all.
  for (let earlier = 1; earlier < of(n, p, ATTEMPT); earlier += 1) {
    const other = recordAt(refreshTokenOf(m, of(n, p, BASE)), earlier);
    if (stateAt(n, other) === GIVEN_BACK) clearRecord(n, other);
  }
  setMark(n, record, PUT_OFF, false);
  setMark(n, record, LEASED, false);
  setOwnerAt(n, record, 0);
}

function send(m: Machine, n: State, p: number): undefined {
  const { rules } = m;
  if (rules.inode && (get(n, ORPHANS) & (1 << p)) !== 0) {
    standDown(m, n, p);
    return leave(n, p, "locking");
  }
  // A login or logout of this process: nothing is spent for what has ended.
  if ((rules["send-epoch"] && isOvertaken(m, n, p)) || (rules.drift && hasFlag(n, p, DRIFTED))) {
    standDown(m, n, p);
    return startOver(n, p);
  }
  dropFlag(n, p, DRIFTED);
  const base = of(n, p, BASE);
  const refreshToken = refreshTokenOf(m, base);
  const sends = sendsOf(n, refreshToken);
  checkSending(n, sends);
  if (hasFlag(n, p, STALE_CLAIM))
    breakPromise(n, "a token was sent that had left the store, or whose answer lay sealed");
  if (get(n, UNWRITABLE) !== 0)
    breakPromise(n, "a token was spent though it was known that nothing could be saved");
  // A foreign writer has spent it and not saved yet, or saved after the claim: nobody can know.
  if (m.scenario.faults["foreign writer"] && (get(n, FOREIGN) !== 0 || get(n, STORE) !== base)) {
    enterWindow(n, "foreign writer");
  }
  setOutcome(n, refreshToken, UNDER_WAY);
  n[at(p, REQUEST)] = refreshToken;
  n[at(p, ANSWER)] = 0;
  enter(n, p, "sent");
}

function checkSending(n: State, sends: number): undefined {
  const outcome = sends & 7;
  if (outcome === UNDER_WAY) breakPromise(n, "a token was sent while another sending of it was under way");
  if (outcome === ANSWERED) breakPromise(n, "a token was sent again after its answer had reached us");
  if (outcome === REFUSED_BY_SERVER) breakPromise(n, "a refused token was sent again");
  if ((sends & BACKING_OFF) !== 0) breakPromise(n, "a token was sent before the back-off ended");
}
