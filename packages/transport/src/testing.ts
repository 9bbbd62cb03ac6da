export {
  type ScriptedReply,
  type ScriptedStep,
  type ScriptedTransport,
  scriptedTransport,
} from "./scripted-transport.ts";
