import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { type TemporaryHome, temporaryHome } from "@hawser/test-kit";

const BUS = "dbus-daemon";
const KEYRING = "gnome-keyring-daemon";

/** The programs that a real Secret Service needs: Debian packages `dbus` and `gnome-keyring`. */
export const hasSecretService: boolean =
  process.platform === "linux" &&
  [BUS, "dbus-send", KEYRING].every((program) => {
    try {
      execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });

/** A session bus of our own with an unlocked keyring daemon on it. */
export interface SecretService extends AsyncDisposable {
  /** For a child that is to use it. */
  readonly env: Readonly<Record<string, string>>;
  readonly daemonPid: number;
  /** Ends the daemon; the bus stays. */
  stop(): Promise<void>;
  /** Starts it again, unlocked, with what it has kept; `forgotten` as if it had kept nothing. */
  start(kept?: "kept" | "forgotten"): Promise<void>;
  /**
   * Whether the daemon had fallen; if so it is up again. It aborts by an assertion of its own
   * (`gkd_secret_service_get_pkcs11_session: assertion 'client' failed`) when it comes to open a session for a client
   * that it has forgotten, which is rare, and wants thousands of clients that were killed.
   */
  hadFallen(): Promise<boolean>;
  /** How many programs and libraries are connected to the bus. */
  connections(): Promise<number>;
  /** Locks the keyring: whoever reads from now on waits for a prompt that nobody answers. */
  lock(): Promise<void>;
  /** Waits until a prompt is up, and dismisses it. */
  dismissPrompt(): Promise<void>;
}

export interface SessionBus extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  readonly home: TemporaryHome;
}

/** A session bus with nobody on it, and nobody to be started but a prompter that never prompts. */
export async function startSessionBus(): Promise<SessionBus> {
  const home = await temporaryHome();
  await mkdir(home.file("run"), { mode: 0o700 });
  await mkdir(home.file("services"));
  const pid = home.file("prompter.pid");
  await writeFile(
    home.file("services", "prompter.service"),
    `[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/bin/sh -c 'echo $$ > ${pid}.new; mv ${pid}.new ${pid}; exec sleep 60'\n`,
  );
  await writeFile(home.file("bus.conf"), busConfig(home.file("services")));
  const env = { HOME: home.path, XDG_RUNTIME_DIR: home.file("run"), XDG_DATA_HOME: home.file("data") };
  const bus = spawn(
    BUS,
    [`--config-file=${home.file("bus.conf")}`, "--nofork", "--nopidfile", "--print-address"],
    { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "ignore"] },
  );
  const [address] = (await once(createInterface({ input: bus.stdout }), "line")) as [string];
  return {
    home,
    env: { ...env, DBUS_SESSION_BUS_ADDRESS: address },
    async [Symbol.asyncDispose]() {
      bus.kill();
      await gone(bus);
      await home.remove();
    },
  };
}

export async function startSecretService(): Promise<SecretService> {
  const bus = await startSessionBus();
  const { env, home } = bus;
  const send = async (...args: string[]) => {
    const call = ["--session", "--print-reply", ...args];
    return (await promisify(execFile)("dbus-send", call, { env: { ...process.env, ...env } })).stdout;
  };
  const hasOwner = ["--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner"];
  const isUp = async () => (await send(...hasOwner, "string:org.freedesktop.secrets")).includes("true");
  const startDaemon = async () => {
    const started = spawn(KEYRING, ["--foreground", "--unlock", "--components=secrets"], {
      env: { ...process.env, ...env },
      stdio: ["pipe", "ignore", "ignore"],
    });
    started.stdin.end("a password for tests");
    await until(isUp);
    return started;
  };
  let daemon = await startDaemon();
  const isDown = async () => {
    await gone(daemon);
    await until(async () => !(await isUp()));
  };
  const stop = async () => {
    daemon.kill("SIGCONT");
    daemon.kill("SIGKILL");
    await gone(daemon);
  };
  const prompter = home.file("prompter.pid");
  return {
    env,
    get daemonPid() {
      return daemon.pid ?? 0;
    },
    async stop() {
      await stop();
      await isDown();
    },
    async start(kept = "kept") {
      if (kept === "forgotten") await rm(home.file("data"), { recursive: true });
      daemon = await startDaemon();
    },
    async hadFallen() {
      const ping = ["--dest=org.freedesktop.secrets", "/", "org.freedesktop.DBus.Peer.Ping"];
      if (await send(...ping).then(Boolean, () => false)) return false;
      await isDown();
      daemon = await startDaemon();
      return true;
    },
    async connections() {
      const names = await send("--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames");
      return names.match(/string ":/g)?.length ?? 0;
    },
    async lock() {
      await send(
        "--dest=org.freedesktop.secrets",
        "/org/freedesktop/secrets",
        "org.freedesktop.Secret.Service.Lock",
        "array:objpath:/org/freedesktop/secrets/collection/login",
      );
    },
    async dismissPrompt() {
      await until(() => existsSync(prompter));
      const pid = Number(readFileSync(prompter, "utf8"));
      rmSync(prompter);
      process.kill(pid);
    },
    async [Symbol.asyncDispose]() {
      if (existsSync(prompter)) process.kill(Number(readFileSync(prompter, "utf8")));
      await stop();
      await bus[Symbol.asyncDispose]();
    },
  };
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isTrue()); tries += 1) {
    if (tries > 1000) throw new Error("it did not come up");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

function busConfig(services: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <servicedir>${services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>`;
}
