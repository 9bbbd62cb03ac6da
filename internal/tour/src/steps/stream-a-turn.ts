import { expectThat } from "../narrator.ts";
import type { TourStep } from "../take-tour.ts";
import { startThread } from "../turns.ts";

/** The upstream lets its deltas go one by one; each is at the client before the next is sent. */
export const streamATurn: TourStep = {
  title: "a turn streams: deltas arrive as the upstream sends them",
  async run(stage, narrator) {
    const { upstream } = stage;
    const client = await stage.connect("tour_stream", "1.0.0");
    const threadId = await startThread(client);
    const held = upstream.model.holdDeltas();
    const since = client.notifications.length;
    const { turn } = await client.call<{ turn: { id: string } }>("turn/start", {
      threadId,
      input: [{ type: "text", text: "Say hello." }],
    });
    const deltas = () =>
      client.notifications.slice(since).filter(({ method }) => method === "item/agentMessage/delta");

    for (const wanted of [1, 2]) {
      held.release(1);
      await client.notified("item/agentMessage/delta", () => deltas().length >= wanted, since);
      expectThat(deltas().length === wanted, `${deltas().length} deltas arrived after ${wanted} were sent`);
      narrator.saw(
        `delta ${wanted} sent, delta ${wanted} here: ${JSON.stringify(deltas().at(-1)?.params["delta"])}`,
      );
    }
    held.release();
    const completed = await client.notified("turn/completed", () => true, since);
    const finished = completed.params["turn"] as { id: string; status: string };
    expectThat(
      finished.id === turn.id && finished.status === "completed",
      `the turn ended as ${finished.status}`,
    );
    narrator.saw(`turn completed after ${deltas().length} deltas`);
    await client.close();
  },
};
