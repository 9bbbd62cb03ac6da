/** Prints what it was given: where, and what. */
const [, , stream, text = ""] = process.argv;
process[stream === "stdout" ? "stdout" : "stderr"].write(text);
