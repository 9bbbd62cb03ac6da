import { expectThat } from "../narrator.ts";
import type { TourStep } from "../take-tour.ts";

interface AuthStatus {
  readonly authMethod: string | null;
  readonly authToken: string | null;
}

/** An API key first, then an account; `getAuthStatus` shows each. The tour plays the browser. */
export const loginThenStatus: TourStep = {
  title: "log in with an API key, then with an account in the browser",
  async run(stage, narrator) {
    const { upstream } = stage;
    const client = await stage.connect("tour_login", "1.0.0");
    const status = () =>
      client.call<AuthStatus>("getAuthStatus", { includeToken: true, refreshToken: false });

    const key = "sk-local-tour";
    upstream.model.apiKeys.add(key);
    await client.call("account/login/start", { type: "apiKey", apiKey: key });
    await client.notified("account/updated", ({ authMode }) => authMode === "apikey");
    const withKey = await status();
    expectThat(withKey.authMethod === "apikey", `getAuthStatus says ${withKey.authMethod}, not apikey`);
    expectThat(withKey.authToken === key, "getAuthStatus does not give the API key back");
    narrator.saw("getAuthStatus: apikey");

    const login = await client.call<{ authUrl: string; loginId: string }>("account/login/start", {
      type: "chatgpt",
    });
    const approved = await upstream.account.approve(login.authUrl);
    expectThat(approved.status < 400, `the browser's callback was answered ${approved.status}`);
    const completed = await client.notified(
      "account/login/completed",
      ({ loginId }) => loginId === login.loginId,
    );
    expectThat(
      completed.params["success"] === true,
      `the login did not complete: ${completed.params["error"]}`,
    );
    await client.notified("account/updated", ({ authMode }) => authMode === "chatgpt");
    const withAccount = await status();
    expectThat(
      withAccount.authMethod === "chatgpt",
      `getAuthStatus says ${withAccount.authMethod}, not chatgpt`,
    );
    expectThat(
      withAccount.authToken !== null && withAccount.authToken !== key,
      "getAuthStatus has no access token",
    );
    const exchanges = upstream.seen.filter(
      ({ server, grant }) => server === "account" && grant === "authorization_code",
    ).length;
    narrator.saw(`POST ${upstream.account.tokenUrl.pathname} authorization_code x ${exchanges}`);
    narrator.saw("getAuthStatus: chatgpt");
    await client.close();
  },
};
