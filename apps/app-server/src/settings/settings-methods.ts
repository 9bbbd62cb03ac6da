import { z } from "zod";
import type { AppConfig } from "../config/app-config.ts";
import { type AppMethod, appMethod } from "../connections/app-method.ts";

/** What a client asks before its first thread: configuration, models, and what an administrator demands. */
export function settingsMethods(config: AppConfig): readonly AppMethod[] {
  return [
    appMethod("config/read", configParams, ({ cwd }) => ({
      config: {
        model: config.model,
        model_provider: config.provider.id,
        // Nothing of a folder is ever read or run here, so there is nothing to distrust.
        projects: cwd == null ? {} : { [cwd]: { trust_level: "trusted" } },
      },
      origins: {},
      layers: null,
    })),
    appMethod(
      "model/list",
      z.looseObject({}),
      () => ({ data: [modelEntry(config.model)], nextCursor: null }),
      {
        paramsOptional: true,
      },
    ),
    appMethod("configRequirements/read", z.looseObject({}), () => ({ requirements: null }), {
      paramsOptional: true,
    }),
  ];
}

const configParams = z.looseObject({
  includeLayers: z.boolean().nullish(),
  cwd: z.string().nullish(),
});

function modelEntry(model: string): Record<string, unknown> {
  return {
    id: model,
    model,
    displayName: model,
    description: "The model that the configuration names.",
    hidden: false,
    supportedReasoningEfforts: [{ reasoningEffort: "medium", description: "The provider's default." }],
    defaultReasoningEffort: "medium",
    isDefault: true,
  };
}
