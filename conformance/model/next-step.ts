import {
  CLAIMED,
  DEFERRED,
  HELD,
  NONE,
  REFUSED,
  SEALED,
  SETTLED,
  UNKNOWN,
  UNREADABLE,
} from "./spend-record.ts";

/** What the decision rests on: one record, reduced to what matters. */
export interface RecordView {
  /** One of the record states. */
  readonly state: number;
  readonly attempt: number;
  readonly owner: "alive" | "dead" | "unproven";
  /** The lease has not run out. */
  readonly leased: boolean;
  readonly opens: boolean;
  /** The time of the next attempt has come. */
  readonly due: boolean;
  /** The stored credential is the one that was spent. */
  readonly sameSnapshot: boolean;
  readonly uncertain: boolean;
}

export type NextStep =
  | { readonly do: "claim"; readonly attempt: number; readonly uncertain: boolean }
  | { readonly do: "finish" | "wait" | "defer" | "superseded" | "held" }
  | { readonly do: "refuse"; readonly interrupted: boolean };

const FIRST: NextStep = { do: "claim", attempt: 1, uncertain: false };
const FINISH: NextStep = { do: "finish" };
const WAIT: NextStep = { do: "wait" };
const DEFER: NextStep = { do: "defer" };

/** The specification's table "Next starter", written anew from its text. */
export function nextStep(view: RecordView): NextStep {
  const { state, attempt, opens, due } = view;
  const living = view.owner === "alive" || (view.owner === "unproven" && view.leased);
  const again = (uncertain: boolean): NextStep => ({ do: "claim", attempt: attempt + 1, uncertain });
  switch (state) {
    case NONE:
      return FIRST;
    case UNREADABLE:
      // "The body opens: as sealed; else as claimed." A writer that lives may be about to write the header.
      if (opens && view.owner !== "alive") return FINISH;
      return living ? WAIT : opens ? FINISH : attempt === 1 || due ? again(true) : DEFER;
    case CLAIMED:
      if (living) return WAIT;
      return opens ? FINISH : attempt === 1 || due ? again(true) : DEFER;
    case HELD:
      if (living) return { do: "held" };
      return opens ? FINISH : attempt === 1 || due ? again(true) : DEFER;
    case UNKNOWN:
      return due ? again(true) : DEFER;
    case DEFERRED:
      return due ? again(view.uncertain) : DEFER;
    case SEALED:
      return opens ? FINISH : due ? again(true) : DEFER;
    case SETTLED:
      return opens ? FINISH : { do: "superseded" };
    case REFUSED:
      return view.sameSnapshot ? { do: "refuse", interrupted: view.uncertain } : again(view.uncertain);
    default:
      throw new RangeError("no such state of a record");
  }
}
