/** The places that the operator's machine has to reach: Backblaze and the peers. */
import type { RawConfig } from "../../config/parse.ts";
import type { RestServerTargetConfig, StackConfig } from "../../config/stack.ts";
import { excerpt } from "../../hub/format.ts";
import { messageOf } from "../../hub/errors.ts";
import { peerConnection } from "../../peer/server.ts";
import { runOnPeer, UnreachableError } from "../../peer/ssh.ts";
import { publicHalf } from "../init/ssh-key.ts";
import { regionProblems } from "../init/secrets.ts";
import { interruption } from "../interruption.ts";
import { cloudflareToken, operatorKey } from "../verify/operator-key.ts";
import { lookAtB2 } from "./b2-key.ts";
import type { Check } from "./report.ts";

/** Seconds by which clocks may differ: signatures and tokens live by them. */
const CLOCK_TOLERANCE = 60;

/** Logs in to Backblaze with the operator's key, and reads the clock there. */
export async function checkB2(config: StackConfig, raw: RawConfig): Promise<Check[]> {
  const names = Object.entries(config.targets).filter(([, { type }]) => type === "b2");
  if (names.length === 0) return [];
  const area = `cloud (${names.map(([name]) => name).join(", ")})`;
  const check = { area, name: "B2 login" };
  const credentials = operatorKey(raw);
  if (credentials.applicationKeyId === "" || credentials.applicationKey === "") {
    return [
      {
        ...check,
        state: "missing",
        found: "no application key, neither in the settings nor in the environment",
        todo: "pulumi config set --secret b2:applicationKeyId and b2:applicationKey, or set B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY",
      },
    ];
  }
  const look = await lookAtB2(credentials);
  if (!look.answered) {
    const todo = "Look at this machine's connection, and at status.backblaze.com";
    return [{ ...check, state: "unknown", found: look.problems.join("; "), todo }];
  }
  const clock = look.clockAhead === undefined ? [] : [clockCheck(area, look.clockAhead)];
  const problems = [...look.problems, ...regionProblems(config, look.region)];
  if (problems.length === 0) {
    const found = `the key may manage buckets and keys${look.region === undefined ? "" : `, ${look.region}`}`;
    return [{ ...check, state: "ok", found }, ...clock];
  }
  return [
    ...problems.map((found): Check => ({ ...check, state: "wrong", found, todo: found })),
    ...clock,
  ];
}

/** Whether there is a token for Cloudflare. What it may do is seen when it is used. */
export function checkCloudflare(config: StackConfig, raw: RawConfig): Check[] {
  const names = Object.entries(config.targets)
    .filter(([, each]) => each.type === "r2" || (each.type === "rest-server" && each.dns))
    .map(([name]) => name);
  if (names.length === 0) return [];
  const check = { area: `cloud (${names.join(", ")})`, name: "Cloudflare token" };
  if ((cloudflareToken(raw) ?? "") !== "") {
    return [{ ...check, state: "ok", found: "there, not tried" }];
  }
  return [
    {
      ...check,
      state: "missing",
      found: "no API token, neither in the settings nor in the environment",
      todo: "pulumi config set --secret cloudflare:apiToken, or set CLOUDFLARE_API_TOKEN (docs/targets/r2.md says which)",
    },
  ];
}

function clockCheck(area: string, ahead: number): Check {
  const check = { area, name: "clock" };
  const off = Math.round(Math.abs(ahead));
  if (off <= CLOCK_TOLERANCE) {
    return { ...check, state: "ok", found: `within ${Math.max(off, 1)} s of ours` };
  }
  return {
    ...check,
    state: "wrong",
    found: `this machine's clock is ${off} s ${ahead > 0 ? "behind" : "ahead"}`,
    todo: "Set this machine's clock, or turn time synchronisation on: timedatectl set-ntp true",
  };
}

/** What a peer is asked, one answer a line. As peer/install.sh, it needs root's rights and Docker. */
const QUESTIONS = `PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
[ "$(id -u)" = 0 ] && root= || root="sudo -n"
echo "clock=$(date +%s)"
$root true 2>/dev/null && echo root=yes || echo root=no
echo "docker=$($root docker version --format '{{.Server.Version}}' 2>&1 | tail -n 1)"
echo "compose=$($root docker compose version --short 2>&1 | tail -n 1)"`;

/** Logs in to a peer as the update will, and looks whether it has what the server needs. */
export async function checkPeer(
  name: string,
  target: RestServerTargetConfig,
  privateKey: string | undefined,
): Promise<Check[]> {
  const area = `peer (${name})`;
  const connection = peerConnection(target, privateKey);
  const login = { area, name: "SSH login" };
  const place = `${target.ssh.user}@${target.ssh.host}`;
  let answers: ReadonlyMap<string, string>;
  const before = Date.now();
  try {
    const { stdout } = await runOnPeer(connection, "sh -s", {
      input: QUESTIONS,
      signal: AbortSignal.any([interruption, AbortSignal.timeout(PEER_PATIENCE)]),
    });
    const lines = stdout.split("\n").map((line) => /^(\w+)=(.*)$/.exec(line));
    answers = new Map(
      lines.flatMap((line) => (line === null ? [] : [[line[1] ?? "", line[2] ?? ""]])),
    );
  } catch (error) {
    interruption.throwIfAborted();
    const isSsh = error instanceof UnreachableError;
    const found = isSsh ? error.message : `${place}: ${messageOf(error)}`;
    return [{ ...login, state: "wrong", found, todo: wayIn(found, place, privateKey) }];
  }
  const clock = Number(answers.get("clock"));
  const middle = (before + Date.now()) / 2000;
  const mayRoot = answers.get("root") === "yes";
  return [
    { ...login, state: "ok", found: `${place}, host key as pinned` },
    mayRoot
      ? {
          area,
          name: "root",
          state: "ok",
          found: target.ssh.user === "root" ? "is root" : "sudo asks nothing",
        }
      : {
          ...{ area, name: "root", state: "wrong", found: "sudo -n is refused" },
          todo: `Let ${target.ssh.user} use sudo without a password there, or take root as targets.${name}.ssh.user`,
        },
    versionCheck(area, "Docker", answers.get("docker"), [20, 10], mayRoot),
    versionCheck(area, "Docker Compose", answers.get("compose"), [2, 17], mayRoot),
    ...(Number.isFinite(clock) ? [clockCheck(area, clock - middle)] : []),
  ];
}

/** Milliseconds in which a peer has to have answered. */
const PEER_PATIENCE = 60_000;

function wayIn(found: string, place: string, privateKey: string | undefined): string {
  if (!found.includes("does not let"))
    return "Bring the tunnel up, and see whether that machine runs";
  const line = privateKey === undefined ? undefined : publicHalf(privateKey);
  if (privateKey === undefined) {
    return `Give your SSH agent the key that ${place} accepts (ssh-add), or set one: pulumi config set --secret fort-offsite:sshPrivateKey`;
  }
  return `This line belongs into the authorized_keys of ${place}: ${line ?? "the public half of fort-offsite:sshPrivateKey"}`;
}

function versionCheck(
  area: string,
  name: string,
  given: string | undefined,
  [major, minor]: readonly [number, number],
  mayRoot: boolean,
): Check {
  const match = /^v?(\d+)\.(\d+)/.exec(given ?? "");
  const needed = `${major}.${minor} or newer`;
  if (match === null) {
    const found = given === undefined || given === "" ? "no answer" : excerpt(given);
    const todo = `Install ${name} ${needed} there, and start its engine`;
    return { area, name, state: mayRoot ? "missing" : "unknown", found, todo };
  }
  const has = [Number(match[1]), Number(match[2])] as const;
  if (has[0] > major || (has[0] === major && has[1] >= minor)) {
    return { area, name, state: "ok", found: excerpt(given ?? "") };
  }
  return {
    ...{ area, name, state: "wrong", found: `${excerpt(given ?? "")}, needed is ${needed}` },
    todo: `Install ${name} ${needed} there`,
  };
}
