/** The questions for the places elsewhere. */
import { parseListen } from "../../config/rules.ts";
import { askHostKey } from "./ask-key.ts";
import { at, withValue } from "./draft.ts";
import { namesIn, proposeBucket, proposeListen, proposeMaxSizeGiB } from "./proposals.ts";
import { askOne, askText, askYes, say } from "./prompts.ts";
import type { Interview } from "./interview.ts";

type Type = "b2" | "r2" | "s3" | "rest-server" | "sftp";

const QUESTIONS: Readonly<Record<Type, { readonly name: string; readonly what: string }>> = {
  b2: { name: "cloud", what: "a bucket at Backblaze B2" },
  r2: { name: "r2", what: "a bucket at Cloudflare R2" },
  s3: { name: "s3", what: "a bucket that exists already, at any S3" },
  "rest-server": { name: "peer", what: "a server on somebody else's machine" },
  sftp: { name: "nas", what: "a directory on somebody else's machine, by SFTP (no Docker there)" },
};

/** Proposed to who has no target yet. */
const USUAL = ["b2", "rest-server"] as const;

function isAsked(type: unknown): type is Type {
  return typeof type === "string" && Object.hasOwn(QUESTIONS, type);
}

/** Asks which places there are, and for all that is not given of each. */
export async function askTargets(interview: Interview): Promise<void> {
  say(
    "\nThe targets: the places elsewhere that hold the copies. Two of different kinds are best:\n" +
      "a bucket at Backblaze B2, and a server on the machine of somebody you trust (Docker, SSH).",
  );
  const given = namesIn(interview.draft, "targets");
  for (const name of given) await askTarget(interview, name);
  if (given.length > 0) return;
  do {
    for (const { name, type } of proposedTargets(interview)) {
      if (!(await askYes(`Have ${QUESTIONS[type].what} (${name})?`, true))) continue;
      interview.set(["targets", name, "type"], type);
      await askTarget(interview, name);
    }
    while (await askYes("Have one more place?", false)) await askAnother(interview);
    if (namesIn(interview.draft, "targets").length === 0) say("There must be at least one.");
  } while (namesIn(interview.draft, "targets").length === 0);
}

function proposedTargets(interview: Interview): { name: string; type: Type }[] {
  const before = namesIn(interview.before, "targets").flatMap((name) => {
    const type = at(interview.before, ["targets", name, "type"]);
    return isAsked(type) ? [{ name, type }] : [];
  });
  if (before.length > 0) return before;
  return USUAL.map((type) => ({ name: QUESTIONS[type].name, type }));
}

async function askAnother(interview: Interview): Promise<void> {
  const types = Object.keys(QUESTIONS).filter(isAsked);
  const choices = types.map((value) => ({ value, name: QUESTIONS[value].what }));
  const type = await askOne<Type>("What is it?", choices);
  const taken = namesIn(interview.draft, "targets");
  const name = await askText({
    message: "A short name for it:",
    check: (text) =>
      taken.includes(text)
        ? `got "${text}", which is there already. Choose another`
        : interview.check(["targets", text], { type }),
  });
  interview.set(["targets", name, "type"], type);
  await askTarget(interview, name);
}

/** What is asked for; all else stays as it was. */
const ASKED = {
  b2: ["bucket", "keepHiddenDays"],
  r2: ["accountId", "bucket"],
  s3: ["endpoint", "bucket"],
  "rest-server": ["ssh", "listen", "expose", "dataDir", "maxSizeGiB"],
  sftp: ["ssh", "dataDir", "maxSizeGiB"],
} as const;

async function askTarget(interview: Interview, name: string): Promise<void> {
  const path = ["targets", name];
  const type = at(interview.draft, [...path, "type"]);
  if (!isAsked(type)) return;
  if (at(interview.before, [...path, "type"]) === type) interview.keepOthers(path, ASKED[type]);
  if (type === "b2") await askBucket(interview, name);
  else if (type === "r2") await askR2(interview, name);
  else if (type === "s3") await askS3(interview, name);
  else await askPeer(interview, name);
}

async function askR2(interview: Interview, name: string): Promise<void> {
  const path = ["targets", name];
  await interview.ask([...path, "accountId"], "ID of the account at Cloudflare, 32 hex digits:");
  await interview.ask([...path, "bucket"], "Name of the bucket, which pulumi up makes:", {
    proposal: proposeBucket(),
  });
}

async function askS3(interview: Interview, name: string): Promise<void> {
  const path = ["targets", name];
  await interview.ask(
    [...path, "endpoint"],
    "URL of the S3, such as https://s3.eu-central-1.wasabisys.com:",
  );
  await interview.ask([...path, "bucket"], "Name of the bucket, which is there:");
}

async function askBucket(interview: Interview, name: string): Promise<void> {
  const path = ["targets", name];
  await interview.ask([...path, "bucket"], "Name of the bucket, which pulumi up makes:", {
    proposal: proposeBucket(),
  });
  await interview.ask(
    [...path, "keepHiddenDays"],
    "Days for which what was hidden or overwritten can be brought back:",
    { proposal: 30, isNumber: true },
  );
}

async function askPeer(interview: Interview, name: string): Promise<void> {
  const path = ["targets", name];
  const ssh = [...path, "ssh"];
  await interview.ask([...ssh, "host"], "Address at which you reach that machine over SSH:");
  const host = at(interview.draft, [...ssh, "host"]) as string;
  await interview.ask([...ssh, "port"], "Port of its SSH server:", {
    proposal: 22,
    isNumber: true,
  });
  await interview.ask(
    [...ssh, "user"],
    "User there: root, or one who may use sudo without asking:",
    {
      proposal: "root",
    },
  );
  const port = at(interview.draft, [...ssh, "port"]) as number;
  await askHostKey(interview, [...ssh, "hostKey"], { host, port });
  const isInTunnel = at(interview.draft, [...path, "tunnel"]) !== undefined;
  if (at(interview.draft, [...path, "type"]) === "rest-server" && !isInTunnel) {
    await askListen(interview, name, host);
  }
  await interview.ask([...path, "dataDir"], "Directory there that becomes the server's own:", {
    proposal: "/srv/fort-offsite",
  });
  await interview.ask([...path, "maxSizeGiB"], "GiB that all copies there may hold together:", {
    proposal: proposeMaxSizeGiB(interview.draft),
    isNumber: true,
  });
}

/** Every address of the machine is taken for the internet, and asked about. */
async function askListen(interview: Interview, name: string, host: string): Promise<void> {
  const path = ["targets", name];
  const listen = [...path, "listen"];
  const url = [...path, "url"];
  const expose = [...path, "expose"];
  while (at(interview.draft, listen) === undefined) {
    const answer = await askText({
      message: "Its address in the tunnel and a port, at which the hub reaches the server:",
      default: interview.proposal(listen, proposeListen(host)),
      check: (text) =>
        parseListen(text)?.wildcard === true ? undefined : interview.check(listen, text),
    });
    if (parseListen(answer)?.wildcard === true && at(interview.draft, expose) !== "any") {
      const sure = await askYes(
        `${answer} is every address of it, the internet too. Is that meant?`,
        false,
      );
      if (!sure) continue;
      interview.set(expose, "any");
    }
    interview.draft = withValue(interview.draft, listen, answer);
  }
  if (parseListen(String(at(interview.draft, listen)))?.wildcard === true) {
    await interview.ask(url, "URL at which the hub reaches the server:");
  }
}
