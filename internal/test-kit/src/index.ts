export { proves } from "./proves.ts";
