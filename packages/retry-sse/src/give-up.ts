/** Runs what frees something that nobody wants any more. It may fail; nobody is left to hear it. */
export function giveUp(free: () => unknown): void {
  try {
    Promise.resolve(free()).catch(() => {});
  } catch {
    // As above, for what throws instead of rejecting.
  }
}
