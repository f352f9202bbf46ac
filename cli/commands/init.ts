import { Command } from "commander";
import { collect } from "../../hub/options.ts";
import { init, type InitOptions } from "../init/init.ts";

/** `offsite init`. */
export function initCommand(): Command {
  return new Command("init")
    .summary("ask for hub, hosts, targets and keys, and write the settings of a stack")
    .description(
      "Asks for the hub, the hosts, the places elsewhere and the keys, checks every answer at once, and writes " +
        "Pulumi.<stack>.yaml so that pulumi preview is content with it. It looks host keys up with ssh-keyscan and has " +
        "their fingerprints compared, makes the seed and, if wanted, the SSH key for the peer, and logs in to Backblaze to " +
        "try the key there; it changes nothing at Backblaze or at a peer. Nothing is written before all is shown and " +
        "confirmed. Done again it goes on where it was ended, and never replaces a secret.",
    )
    .option(
      "--answers <file>",
      "the settings below fort-offsite: as YAML or JSON, and beside them stack, backend and peerKey; - is standard input",
    )
    .option(
      "--set <place=value>",
      "one setting, such as hub.host=ursula or hosts.q.sizeGiB=5, over those of --answers; may be given again",
      collect,
    )
    .option(
      "--backend <url>",
      "where Pulumi keeps its state, when it is not logged in yet: file://~/.fort-offsite",
    )
    .option(
      "--peer-key <make|agent|file>",
      "the SSH key for the peer: a new one, the agent's, or that of a file (- is standard input)",
    )
    .option(
      "--b2-key-file <file>",
      "the application key of Backblaze: its id on one line, the key on the next (- is standard input)",
    )
    .option(
      "--replace",
      "replace settings that are filled in already; secrets and generations stay",
    )
    .option("-y, --yes", "do not ask whether all is right; needed without a terminal")
    .addHelpText(
      "after",
      "\nThe passphrase comes from a prompt, PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE; no secret is taken from the arguments." +
        "\nExit codes: 0 written, or complete already; 1 not, 2 wrong or missing answers, 130 interrupted. But for 0 the file is as it was.",
    )
    .action(async (options: InitOptions) => {
      await init(options);
    });
}
