/** Tells the tour: one numbered line a step, indented lines for what was seen on the wire. */
export class Narrator {
  #step = 0;

  step(title: string): void {
    this.#step += 1;
    this.say(`\n${this.#step}. ${title}`);
  }

  saw(line: string): void {
    this.say(`   ${line}`);
  }

  say(line: string): void {
    console.log(line);
  }
}

/** What a step expected and did not see. */
class StepFailed extends Error {
  override readonly name = "StepFailed";
}

/** Fails the step that runs now when `holds` is false. */
export function expectThat(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new StepFailed(otherwise);
}
