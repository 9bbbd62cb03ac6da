/** In a run with the full counts, prints what was measured; such a run keeps these lines. */
export function figure(what: string, value: unknown): void {
  if (process.env["HAWSER_TEST_LONG"] === "1")
    process.stderr.write(`figure: ${what}: ${JSON.stringify(value)}\n`);
}
