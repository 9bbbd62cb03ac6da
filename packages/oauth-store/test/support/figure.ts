/** In a long run, prints what was measured. */
export function figure(what: string, value: unknown): void {
  if (process.env["HAWSER_TEST_LONG"] === "1")
    process.stderr.write(`figure: ${what}: ${JSON.stringify(value)}\n`);
}
