import { describe, expect, it } from "vitest";
import type { AuthEvent } from "./auth-event.ts";
import { AuthEvents } from "./auth-events.ts";

const event: AuthEvent = { type: "persisted" };

describe(AuthEvents, () => {
  it("tells every listener until it stops", () => {
    const events = new AuthEvents();
    const heard: string[] = [];
    const listener = () => void heard.push("same");
    const stop = events.on(listener);
    events.on(listener);
    events.emit(event);
    stop();
    events.emit(event);
    expect(heard).toEqual(["same", "same", "same"]);
  });

  it("does not hear a listener again that throws, and goes on with the others", () => {
    const events = new AuthEvents();
    const heard: string[] = [];
    events.on(() => {
      heard.push("broken");
      throw new Error("no");
    });
    events.on(() => void heard.push("sound"));
    events.emit(event);
    events.emit(event);
    expect(heard).toEqual(["broken", "sound", "sound"]);
  });
});
