/**
 * Stands in every token of the test authority and of the children, and is what is looked for wherever none may stand.
 * Put together here, so that no copy of the sources is taken for a find.
 */
export const CANARY: string = ["tell", "tale"].join("");
