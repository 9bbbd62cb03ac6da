import { expectThat } from "../narrator.ts";
import type { TourStep } from "../take-tour.ts";
import { startThread, takeTurn } from "../turns.ts";

/** One turn against a provider elsewhere: only this side of the wire can be seen. */
export const oneTurn: TourStep = {
  title: "a turn streams from the provider",
  async run(stage, narrator) {
    const client = await stage.connect("tour_turn", "1.0.0");
    const turn = await takeTurn(client, await startThread(client), "Say hello in five words.");
    expectThat(turn.status === "completed", `the turn ended as ${turn.status}: ${turn.error}`);
    narrator.saw(`${turn.deltas.length} deltas: ${turn.deltas.join("")}`);
    await client.close();
  },
};
