import { expectThat } from "../narrator.ts";
import type { TourStep } from "../take-tour.ts";

/** A refresh that can never succeed is asked for once; both answers keep the method and give no token. */
export const refusedOnce: TourStep = {
  title: "a refused account refresh is sent once, however often it is asked for",
  async run(stage, narrator) {
    const { upstream } = stage;
    const client = await stage.connect("tour_status", "1.0.0");
    upstream.account.refuseRefresh("refresh_token_reused");
    const before = upstream.account.refreshGrants;
    for (const nth of ["first", "second"]) {
      const status = await client.call<{ authMethod: string | null; authToken: string | null }>(
        "getAuthStatus",
        {
          includeToken: true,
          refreshToken: true,
        },
      );
      expectThat(status.authMethod === "chatgpt", `the ${nth} answer has the method ${status.authMethod}`);
      expectThat(status.authToken === null, `the ${nth} answer still gives a token`);
      narrator.saw(`getAuthStatus (${nth}): method chatgpt, token null`);
    }
    const posts = upstream.account.refreshGrants - before;
    expectThat(posts === 1, `the token endpoint saw ${posts} refreshes`);
    narrator.saw(`POST ${upstream.account.tokenUrl.pathname} refresh_token x ${posts}`);
    await client.close();
  },
};
