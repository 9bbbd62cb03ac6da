import { type AccountStatus, type AuthManager, isAuthManagerError } from "@hawser/auth-manager";
import type { IdentityScope } from "@hawser/client-identity";
import { z } from "zod";
import { type AppMethod, appMethod } from "../connections/app-method.ts";
import type { AccountNotices } from "./account-notices.ts";

export interface AccountMethodsOptions {
  readonly account: AuthManager;
  readonly notices: AccountNotices;
  readonly scope: IdentityScope;
  /** Whether the configured provider uses the account at all. */
  readonly requiresAccount: boolean;
}

/** Questions about the login, and logging out. One status answers them all, so they never disagree. */
export function accountMethods(options: AccountMethodsOptions): readonly AppMethod[] {
  const { account, notices, scope, requiresAccount } = options;

  // Keeping the login alive is everybody's work: it never carries the identity of whoever asked.
  const freshStatus = (refresh: boolean): Promise<AccountStatus> =>
    scope.run(scope.process, async () => {
      try {
        await (refresh ? account.refresh() : account.auth());
      } catch (error) {
        // The status says what became of it, and the login as it is.
        if (!isAuthManagerError(error)) throw error;
      }
      return account.status();
    });

  return [
    appMethod("getAuthStatus", authStatusParams, async ({ includeToken, refreshToken }) => {
      if (!requiresAccount) return { authMethod: null, authToken: null, requiresOpenaiAuth: false };
      const status = await freshStatus(refreshToken === true);
      return {
        authMethod: status.method,
        authToken: includeToken === true ? status.token : null,
        requiresOpenaiAuth: true,
        refreshFailure: failureOf(status),
      };
    }),
    appMethod("account/read", accountReadParams, async ({ refreshToken }) => {
      if (!requiresAccount) {
        return { account: null, userId: null, requiresOpenaiAuth: false, workspaceRouting: null };
      }
      const status = await freshStatus(refreshToken === true);
      return {
        account: accountOf(status),
        userId: status.userId ?? null,
        requiresOpenaiAuth: true,
        workspaceRouting: null,
        refreshFailure: failureOf(status),
      };
    }),
    appMethod(
      "account/logout",
      z.looseObject({}),
      async (_, { afterReply }) => {
        await scope.run(scope.process, () => account.logout());
        afterReply(() => void notices.updated());
        return {};
      },
      { paramsOptional: true },
    ),
  ];
}

const authStatusParams = z.looseObject({
  includeToken: z.boolean().nullish(),
  refreshToken: z.boolean().nullish(),
});
const accountReadParams = z.looseObject({ refreshToken: z.boolean().nullish() });

function accountOf(status: AccountStatus): Record<string, unknown> | null {
  if (status.method === null) return null;
  if (status.method === "apikey") return { type: "apiKey" };
  return {
    type: "chatgpt",
    email: status.email ?? null,
    planType: status.planType ?? "unknown",
    workspaceName: null,
  };
}

/** Why there is no token; beside the protocol's own members, which cannot say it. */
function failureOf(status: AccountStatus): Record<string, unknown> | null {
  if (status.failure === undefined) return null;
  const { code, permanent, reason, retryAtMs, message } = status.failure;
  return { code, permanent, reason: reason ?? null, retryAtMs: retryAtMs ?? null, message };
}
