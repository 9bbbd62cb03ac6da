import { spawn } from "node:child_process";
import { connectParent } from "../src/index.ts";

// Starts a grandchild that outlives this process and keeps its output pipes.
const grandchild = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "inherit" });
connectParent().send(grandchild.pid);
