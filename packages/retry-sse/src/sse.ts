export {
  isRetrySseError,
  RetrySseError,
  type RetrySseErrorCode,
  type RetrySseErrorOptions,
} from "./errors.ts";
export type { SseEvent } from "./event-decoder.ts";
export { type SseStream, type SseStreamOptions, sseStream } from "./sse-stream.ts";
