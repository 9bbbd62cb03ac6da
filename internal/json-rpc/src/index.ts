export type { MessageChannel } from "./message-channel.ts";
export type { RpcContext, RpcMethod, RpcPeer, RpcPeerOptions } from "./rpc-peer.ts";
