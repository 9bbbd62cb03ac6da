import { BUSY, loseTrack, OTHER_OWNER, REFUSAL, SERVER_ERROR } from "./answer-steps.ts";
import { type Act, isAt, left, type Machine, use } from "./machine.ts";
import { ANSWER, at, dropBit, FROZEN, hasFlag, OTHERS, of, REQUEST, type State, setBit } from "./state.ts";
import { redeem } from "./tokens.ts";

/** What the server and the network do with what one process sent. */
export function serverSteps(m: Machine, s: State, p: number, act: Act): undefined {
  const request = of(s, p, REQUEST);
  const isAwaited = isAt(s, p, "sent") && !hasFlag(s, p, FROZEN);
  if (request !== 0) {
    act("server answers", (n) => {
      const issued = redeem(m, n, request);
      if (issued !== 0) dropBit(n, OTHERS, issued);
      answer(n, p, issued || REFUSAL);
    });
  }
  if (request !== 0 && isAt(s, p, "sent")) oddAnswers(m, s, p, act);
  if (!isAwaited) return;
  if (request !== 0 && left(s, "lost answer") > 0) {
    act("lose the request", (n) => {
      use(n, "lost answer");
      n[at(p, REQUEST)] = 0;
      loseTrack(m, n, p);
    });
  }
  // The request stays on its way: it may arrive later.
  if (request !== 0 && left(s, "timeout") > 0) {
    act("time out", (n) => {
      use(n, "timeout");
      loseTrack(m, n, p);
    });
  }
  if (of(s, p, ANSWER) !== 0 && left(s, "lost answer") > 0) {
    act("lose the answer", (n) => {
      use(n, "lost answer");
      loseTrack(m, n, p);
    });
  }
}

function oddAnswers(m: Machine, s: State, p: number, act: Act): undefined {
  if (left(s, "server error") > 0) {
    act("server fails", (n) => {
      use(n, "server error");
      answer(n, p, SERVER_ERROR);
    });
  }
  if (left(s, "busy") > 0) {
    act("server is busy", (n) => {
      use(n, "busy");
      answer(n, p, BUSY);
    });
  }
  if (left(s, "wrong owner") > 0) {
    act("server answers for another", (n) => {
      use(n, "wrong owner");
      const issued = redeem(m, n, of(n, p, REQUEST));
      if (issued !== 0) setBit(n, OTHERS, issued);
      answer(n, p, issued === 0 ? REFUSAL : OTHER_OWNER + issued);
    });
  }
}

/** Whoever sent it may be dead or gone: then the answer reaches nobody. */
function answer(n: State, p: number, what: number): undefined {
  if (isAt(n, p, "sent")) n[at(p, ANSWER)] = what;
  n[at(p, REQUEST)] = 0;
}
