/** The questions on the settings, each answer checked at once with the rules of `pulumi preview`. */
import { askPublicKey } from "./ask-key.ts";
import { askTargets } from "./ask-targets.ts";
import { at, problemAt, withValue } from "./draft.ts";
import type { Interview } from "./interview.ts";
import { NO_OPERATORS, ownPublicKey } from "./own-key.ts";
import { askText, askYes, say } from "./prompts.ts";
import { namesIn } from "./proposals.ts";

/** Asks for everything that is not given. */
export async function askSettings(interview: Interview): Promise<void> {
  await askHub(interview);
  await askHosts(interview);
  await askHubKey(interview);
  await askTargets(interview);
  await askSeal(interview);
  for (const section of ["guests", "prices", "lookForDrift"]) interview.keep([section]);
}

async function askHub(interview: Interview): Promise<void> {
  say("\nThe hub: the machine at home that all others back up to.");
  await interview.ask(["hub", "host"], "The hub's host name:");
  await interview.ask(
    ["hub", "url"],
    "URL at which the hosts reach the hub's rest-server (as https://backup.home.example):",
  );
  await interview.ask(["hub", "repositories"], "The hub's directory of repositories:", {
    proposal: "/var/lib/restic-repos",
  });
  interview.keepOthers(["hub"], ["host", "url", "repositories", "key"]);
}

async function askHosts(interview: Interview): Promise<void> {
  say(
    "\nThe hosts: the machines that back up. A host's credentials are sealed to its public key, which\n" +
      "its own /etc/ssh/ssh_host_ed25519_key.pub holds; this machine can ask it for that.",
  );
  let names = namesIn(interview.draft, "hosts");
  if (names.length === 0) {
    const known = namesIn(interview.before, "hosts");
    const hub = at(interview.draft, ["hub", "host"]) as string;
    const text = await askText({
      message: "Names of the hosts, the hub too if it backs itself up, with spaces between:",
      default: (known.length > 0 ? known : [hub]).join(" "),
      check: (answer) => checkNames(interview, split(answer)),
    });
    names = split(text);
  }
  for (const name of names) {
    interview.keepOthers(["hosts", name], ["key", "sizeGiB"]);
    await askPublicKey(interview, ["hosts", name, "key"], { name, address: name });
    await interview.ask(["hosts", name, "sizeGiB"], `About how many GiB does ${name} back up?`, {
      isNumber: true,
    });
  }
}

function split(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter((name) => name !== ""))];
}

function checkNames(interview: Interview, names: readonly string[]): string | undefined {
  const hosts = Object.fromEntries(names.map((name) => [name, {}] as const));
  const draft = withValue(interview.draft, ["hosts"], hosts);
  const paths = [["hosts"], ...names.map((name) => ["hosts", name])];
  return paths
    .map((path) => problemAt(draft, path, interview.stack))
    .find((each) => each !== undefined);
}

/** The hub's own files are sealed to its key as a host, or to one of its own. */
async function askHubKey(interview: Interview): Promise<void> {
  const hub = at(interview.draft, ["hub", "host"]) as string;
  if (namesIn(interview.draft, "hosts").includes(hub)) return;
  say(`\n${hub} is not among the hosts. Its own credentials are sealed to its public key.`);
  await askPublicKey(interview, ["hub", "key"], { name: hub, address: hub });
}

async function askSeal(interview: Interview): Promise<void> {
  say(
    "\nThe bundle: the files with everybody's credentials, sealed, for the cluster's Nix repository.",
  );
  await interview.ask(["seal", "format"], "Sealed with age (agenix) or sops (sops-nix):", {
    proposal: "age",
  });
  await interview.ask(
    ["seal", "directory"],
    "The bundle's own directory, which pulumi up writes:",
    {
      proposal: "../fort-nix/secrets/offsite",
    },
  );
  interview.keepOthers(["seal"], ["format", "directory", "operators"]);
  await askOperators(interview);
}

async function askOperators(interview: Interview): Promise<void> {
  const path = ["seal", "operators"];
  if (interview.isGiven(path)) return;
  say(
    "Your own public keys, which open every sealed file beside the machine that it is for: the way in\n" +
      'when a machine is gone. "ssh-ed25519 …" or "age1…", one at a time.',
  );
  const before = at(interview.before, path);
  const proposals: string[] = Array.isArray(before) ? before.map(String) : ownPublicKey();
  const operators: string[] = [];
  for (;;) {
    const place = [...path, String(operators.length)];
    const answer = await askText({
      message:
        operators.length === 0 ? "Your public key (- for none):" : "One more (- for no more):",
      default: proposals[operators.length] ?? "-",
      check: (text) => (text === "-" ? undefined : interview.check(place, text)),
    });
    if (answer === "-") break;
    operators.push(answer);
    interview.set(path, [...operators]);
  }
  if (operators.length === 0) {
    const sure = await askYes(
      `Only the machines themselves will open their files, and ${NO_OPERATORS}. Is that meant?`,
      false,
    );
    if (!sure) {
      await askOperators(interview);
      return;
    }
    interview.set(path, []);
  }
}
