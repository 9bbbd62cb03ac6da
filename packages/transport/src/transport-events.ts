import { channel } from "node:diagnostics_channel";
import type { RequestSent, TransportErrorCode } from "./errors.ts";

/** What every event of one sending has. URLs are without userinfo, fragment and query values. */
export interface TransportEvent {
  /** The same in all events of one sending; a repeated request is another one. */
  readonly id: string;
  readonly method: string;
  readonly url: string;
  /** The operation's label, when there is one. */
  readonly label: string | undefined;
}

/** On `hawser:transport:request`: a request is about to be sent. */
export interface RequestEvent extends TransportEvent {
  /** Undefined for a body that is sent while it is produced. */
  readonly requestBytes: number | undefined;
}

/** On `hawser:transport:attempt`: the response head arrived, or nothing will. */
export interface AttemptEvent extends TransportEvent {
  readonly durationMs: number;
  /** Of the body, as far as it was sent. */
  readonly requestBytes: number;
  /** Undefined without a response head. */
  readonly status: number | undefined;
  /** Undefined with a response head. */
  readonly code: TransportErrorCode | undefined;
  readonly sent: RequestSent;
}

/** On `hawser:transport:body`: a response whose head arrived has ended. */
export interface BodyEvent extends TransportEvent {
  readonly status: number;
  /** Since the head. */
  readonly durationMs: number;
  /** As they arrived, before any decompression. */
  readonly bytes: number;
  readonly outcome: "whole" | "cancelled" | "failed";
  /** With `failed`. */
  readonly code: TransportErrorCode | undefined;
}

/** On `hawser:transport:redirect`: a redirect is followed. */
export interface RedirectEvent {
  readonly label: string | undefined;
  readonly from: string;
  readonly to: string;
  readonly status: number;
  /** 1 is the first. */
  readonly hop: number;
}

/** What is published on which `diagnostics_channel`. */
export interface TransportEvents {
  readonly "hawser:transport:request": RequestEvent;
  readonly "hawser:transport:attempt": AttemptEvent;
  readonly "hawser:transport:body": BodyEvent;
  readonly "hawser:transport:redirect": RedirectEvent;
}

/** What of a channel is used here, with the type of what it carries. */
export interface EventChannel<Event> {
  readonly hasSubscribers: boolean;
  publish(event: Event): void;
}

/** Channels belong to the process, by name: another copy of this package publishes on the same ones. */
export const requestChannel: EventChannel<RequestEvent> = channel("hawser:transport:request");
export const attemptChannel: EventChannel<AttemptEvent> = channel("hawser:transport:attempt");
export const bodyChannel: EventChannel<BodyEvent> = channel("hawser:transport:body");
export const redirectChannel: EventChannel<RedirectEvent> = channel("hawser:transport:redirect");
