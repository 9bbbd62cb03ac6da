import { type Budget, FAULTS, type Scenario } from "./scenario.ts";
import { recordAt, SETTLED, setBodyAt, setStateAt } from "./spend-record.ts";
import {
  at,
  BACKUP,
  BUDGET,
  CURRENT,
  credentialOf,
  EXPIRED,
  LOGIN,
  NEWEST,
  SENDS,
  STATE_BYTES,
  STORE,
  type State,
  setBit,
  UNWRITABLE,
} from "./state.ts";
import { ANSWERED } from "./tokens.ts";

/** Where a scenario begins: one login, each process knows it. */
export function initialState(scenario: Scenario, faults: Budget): State {
  const s = new Uint8Array(STATE_BYTES);
  const first = credentialOf(0, 0);
  const stored = scenario.history ? credentialOf(0, 1) : first;
  s[STORE] = stored;
  s[BACKUP] = first;
  s[LOGIN] = 1;
  if (scenario.history) {
    const record = recordAt(first, 1);
    setStateAt(s, record, SETTLED);
    setBodyAt(s, record, 2 + stored);
    s[SENDS + first] = ANSWERED;
    s[NEWEST] = 1;
  }
  if (!scenario.fresh) setBit(s, EXPIRED, stored);
  if (scenario.history) setBit(s, EXPIRED, first);
  s[UNWRITABLE] = scenario.unwritable ? 1 : 0;
  scenario.asks.forEach((_, process) => {
    s[at(process, CURRENT)] = scenario.unaware ? 0 : stored;
  });
  FAULTS.forEach((fault, index) => {
    s[BUDGET + index] = faults[fault] ?? 0;
  });
  return s;
}
