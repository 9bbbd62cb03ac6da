export { isRpcClosedError, isRpcError, RpcClosedError, RpcError } from "./errors.ts";
export { jsonLinesChannel } from "./json-lines-channel.ts";
export type { ChannelClose, ChannelLimits, MessageChannel } from "./message-channel.ts";
export { describeIssue, quoted, type RpcDialect, type UnreadableReason } from "./rpc-dialect.ts";
export { type RpcContext, type RpcId, type RpcMethod, rpcMethod } from "./rpc-method.ts";
export { createRpcPeer, type RpcPeer, type RpcPeerOptions } from "./rpc-peer.ts";
export { type WebSocketChannelOptions, type WebSocketLike, webSocketChannel } from "./web-socket-channel.ts";
