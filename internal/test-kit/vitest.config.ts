import { project } from "../../tooling/vitest.ts";

const conditions = ["hawser-source", "node"];

// vitest starts its workers with every SSR condition; "import" among them breaks the CommonJS side of mockttp.
export default Object.assign(project("test-kit"), {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
});
