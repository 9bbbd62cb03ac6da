import { expectThat } from "../narrator.ts";
import type { TourStep } from "../take-tour.ts";
import { startThread, takeTurn } from "../turns.ts";
import { wireLine } from "../wire-line.ts";

const CLIENTS = [
  { name: "tour_editor", version: "1.2.3" },
  { name: "tour_phone", version: "7.0.0" },
];

/** Two clients on one server, turns interleaved: each goes out under the identity of the connection that started it. */
export const twoIdentities: TourStep = {
  title: "two clients on one app-server, each turn under its own identity",
  async run(stage, narrator) {
    const { upstream } = stage;
    const connected = [];
    for (const { name, version } of CLIENTS) {
      const client = await stage.connect(name, version);
      expectThat(
        client.userAgent.includes(`(${name}; ${version})`),
        `initialize answered the User-Agent ${client.userAgent}`,
      );
      connected.push({ name, version, client, threadId: await startThread(client) });
    }

    // Each on its own thread, then the second client on the first one's: the sender of the turn is who counts.
    const [first, second] = connected as [(typeof connected)[0], (typeof connected)[0]];
    const turns = [
      { by: first, threadId: first.threadId },
      { by: second, threadId: second.threadId },
      { by: first, threadId: first.threadId },
      { by: second, threadId: first.threadId },
    ];
    await second.client.call("thread/resume", { threadId: first.threadId });
    for (const { by, threadId } of turns) {
      const before = upstream.seen.length;
      await takeTurn(by.client, threadId, "Say hello.");
      const posts = upstream.seen
        .slice(before)
        .filter(({ server, method }) => server === "model" && method === "POST");
      expectThat(posts.length === 1, `one turn made ${posts.length} model requests`);
      const { originator, "user-agent": userAgent } = posts[0]?.headers ?? {};
      expectThat(originator === by.name, `a turn of ${by.name} left as originator ${originator}`);
      expectThat(
        userAgent?.includes(`(${by.name}; ${by.version})`) === true,
        `a turn of ${by.name} left as ${userAgent}`,
      );
      for (const post of posts) narrator.saw(`${wireLine(post)}  ${userAgent}`);
    }
    for (const { client } of connected) await client.close();
  },
};
