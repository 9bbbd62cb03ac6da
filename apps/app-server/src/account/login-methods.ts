import type { AuthManager, ExternalTokens, LoginOutcome } from "@hawser/auth-manager";
import type { IdentityScope } from "@hawser/client-identity";
import { RpcError } from "@hawser/json-rpc";
import { z } from "zod";
import { type AppMethod, appMethod, type Call } from "../connections/app-method.ts";
import type { ClientConnection } from "../connections/client-connection.ts";
import { isUuid } from "../threads/uuid-v7.ts";
import type { AccountNotices } from "./account-notices.ts";
import { orAccountRefusal } from "./account-refusal.ts";

export interface LoginMethodsOptions {
  readonly account: AuthManager;
  readonly notices: AccountNotices;
  readonly scope: IdentityScope;
}

/** `account/login/*`: four ways in. The reply comes first, then what became of it. */
export function loginMethods(options: LoginMethodsOptions): readonly AppMethod[] {
  const { account, notices, scope } = options;
  const waiting = new Map<string, PendingLogin>();

  // One login waits at a time: the account's room ends the older one when another starts.
  const follow = (login: PendingLogin, { afterReply }: Call): void => {
    waiting.set(login.loginId, login);
    afterReply(() => {
      void login.completed.then((outcome) => {
        waiting.delete(login.loginId);
        return notices.completed(login.loginId, outcome);
      });
    });
  };

  const start = async (params: z.output<typeof loginParams>, call: Call): Promise<object> => {
    switch (params.type) {
      case "apiKey":
        await account.loginWithApiKey(params.apiKey);
        call.afterReply(() => void notices.completed(null, { success: true }));
        return { type: params.type };
      case "chatgpt": {
        const login = await account.startBrowserLogin({ originator: call.connection.identity.originator });
        follow(login, call);
        return { type: params.type, loginId: login.loginId, authUrl: login.authUrl };
      }
      case "chatgptDeviceCode": {
        const login = await account.startDeviceLogin();
        follow(login, call);
        const { loginId, verificationUrl, userCode } = login;
        return { type: params.type, loginId, verificationUrl, userCode };
      }
      case "chatgptAuthTokens":
        if (call.connection.introduction?.experimental !== true) {
          throw new RpcError(
            -32600,
            "account/login/start.chatgptAuthTokens requires experimentalApi capability",
          );
        }
        await account.useExternalTokens(readTokens(params), externalRefresher(call.connection));
        call.afterReply(() => void notices.completed(null, { success: true }));
        return { type: params.type };
    }
  };

  return [
    appMethod("account/login/start", loginParams, (params, call) =>
      orAccountRefusal(
        // A login is the work of the client that asked for it, up to the credential it brings.
        scope.run(call.connection.identity, () => start(params, call)),
      ),
    ),
    appMethod("account/login/cancel", z.looseObject({ loginId: z.string() }), ({ loginId }) => {
      if (!isUuid(loginId)) throw new RpcError(-32600, `invalid login id: ${loginId.slice(0, 80)}`);
      return { status: waiting.get(loginId)?.cancel() === true ? "canceled" : "notFound" };
    }),
  ];
}

interface PendingLogin {
  readonly loginId: string;
  readonly completed: Promise<LoginOutcome>;
  cancel(): boolean;
}

const externalTokens = z.looseObject({
  accessToken: z.string(),
  chatgptAccountId: z.string(),
  chatgptPlanType: z.string().nullish(),
});

const loginParams = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("apiKey"), apiKey: z.string() }),
  z.looseObject({ type: z.literal("chatgpt") }),
  z.looseObject({ type: z.literal("chatgptDeviceCode") }),
  z.looseObject({ ...externalTokens.shape, type: z.literal("chatgptAuthTokens") }),
]);

function readTokens(given: z.output<typeof externalTokens>): ExternalTokens {
  return {
    accessToken: given.accessToken,
    accountId: given.chatgptAccountId,
    planType: given.chatgptPlanType,
  };
}

/** Only the connection that handed the credentials in is asked for their successors. */
function externalRefresher(connection: ClientConnection) {
  return async (ask: {
    readonly reason: "unauthorized";
    readonly previousAccountId: string;
    readonly signal: AbortSignal;
  }): Promise<ExternalTokens> => {
    const { reason, previousAccountId, signal } = ask;
    const params = { reason, previousAccountId };
    const answer = await connection.request("account/chatgptAuthTokens/refresh", params, signal);
    return readTokens(externalTokens.parse(answer));
  };
}
