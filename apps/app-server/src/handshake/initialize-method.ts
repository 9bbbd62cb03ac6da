import type { ClientIdentity } from "@hawser/client-identity";
import { z } from "zod";
import { type AppMethod, appMethod } from "../connections/app-method.ts";

export interface InitializeMethodOptions {
  /** Reads who the client is; throws the refusal that it is told. */
  readonly readIdentity: (clientInfo: unknown) => ClientIdentity;
  /** Told to the client as the home of its login. */
  readonly home: string;
  readonly platform: NodeJS.Platform;
}

/** `initialize`: the connection's identity, and what it wants to hear. A failed one may be tried again. */
export function initializeMethod(options: InitializeMethodOptions): AppMethod {
  const { readIdentity, home, platform } = options;
  return appMethod(
    "initialize",
    initializeParams,
    ({ clientInfo, capabilities }, { connection, afterReply }) => {
      const identity = readIdentity(clientInfo);
      connection.introduce({
        identity,
        experimental: capabilities?.experimentalApi ?? false,
        unwantedNotifications: new Set(capabilities?.optOutNotificationMethods ?? []),
      });
      afterReply(() => connection.startHearing());
      return {
        userAgent: identity.userAgent,
        codexHome: home,
        platformFamily: platform === "win32" ? "windows" : "unix",
        platformOs: platformNames[platform] ?? platform,
      };
    },
    { serial: true },
  );
}

const initializeParams = z.looseObject({
  clientInfo: z.looseObject({
    name: z.string(),
    title: z.string().nullish(),
    version: z.string(),
  }),
  capabilities: z
    .looseObject({
      experimentalApi: z.boolean().nullish(),
      optOutNotificationMethods: z.array(z.string()).max(1_000).nullish(),
    })
    .nullish(),
});

const platformNames: Partial<Record<NodeJS.Platform, string>> = { darwin: "macos", win32: "windows" };
