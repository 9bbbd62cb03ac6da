import { writeFileSync } from "node:fs";
import { connectParent } from "../src/index.ts";

// Prints, leaves a sign that it has, and stays.
const [, , sign = ""] = process.argv;
connectParent().send("ready");
process.stderr.write("x".repeat(100_000));
writeFileSync(sign, "");
