/** What happened in a home: something was changed or synced there, or a point was passed. */
export interface Step {
  readonly is: "change" | "sync" | "point";
  readonly name: string;
}

export function pointsOf(steps: readonly Step[]): string[] {
  return steps.filter(({ is }) => is === "point").map(({ name }) => name);
}

/** Pairs of steps with no point between them. Two syncs change nothing there that a kill could show. */
export function adjacentSteps(steps: readonly Step[]): string[] {
  return steps.flatMap((step, at) => {
    const next = steps[at + 1];
    if (!next || step.is === "point" || next.is === "point") return [];
    return step.is === "sync" && next.is === "sync" ? [] : [`${step.name}, ${next.name}`];
  });
}
