import { project } from "../../tooling/vitest.ts";

export default project("oauth-store", { setupFiles: ["test/support/cast-secret-net.ts"] });
