/** The rule for what a peer's SSH server lets users of an SFTP directory do. */
import { error, type ResourceRule } from "../model.ts";
import { targetTypeOf } from "../types.ts";
import { isObject, isUnseen, shown } from "../values.ts";

/** What must hold for every user, by sshd's keyword in small letters. */
const DEMANDS: readonly (readonly [string, RegExp, string])[] = [
  ["chrootdirectory", /^\/[^/]/, "must be a directory, so that the user sees nothing else"],
  ["forcecommand", /^internal-sftp(?:\s|$)/, "must be internal-sftp, so that there is no shell"],
  ["disableforwarding", /^yes$/i, "must be yes, so that the peer is no way to other machines"],
  ["passwordauthentication", /^no$/i, "must be no"],
  ["permittty", /^no$/i, "must be no"],
];

/** The hub's user writes; nobody's name but its own has an underscore. */
const isHub = (user: string) => user.endsWith("_hub");

export const sftpConfined: ResourceRule = {
  name: "sftp-confined",
  description: "A user of an SFTP directory sees that directory, and a host only reads there",
  of: "resource",
  judge: (target) => {
    if (targetTypeOf(target.type) !== "Sftp") return [];
    const { files } = target.inputs;
    const text = isObject(files) ? files["sshd_config.d"] : files;
    if (typeof text !== "string" || isUnseen(text)) {
      const message = `what its SSH server allows cannot be seen (sshd_config.d: ${shown(text)}). Give the component that file as an input`;
      return [error(target, target.name, message)];
    }
    return [...new Set(problemsOf(text))].map((message) => error(target, target.name, message));
  },
};

function problemsOf(text: string): string[] {
  const blocks = blocksOf(text);
  if (typeof blocks === "string") return [blocks];
  const users = new Set(blocks.flatMap((block) => block.users));
  if (users.size === 0) return ["its SSH server is told of no user"];
  return [...users].flatMap((user) => {
    const settings = settingsOf(user, blocks);
    const problems = DEMANDS.filter(([keyword, good]) => !good.test(settings.get(keyword) ?? ""));
    const command = settings.get("forcecommand") ?? "";
    return [
      ...problems.map(
        ([keyword, , must]) =>
          `for the user ${shown(user)} ${keyword} is ${shown(settings.get(keyword))}, ${must}`,
      ),
      ...(isHub(user) || /\s-R(?:\s|$)/.test(command)
        ? []
        : [
            `the user ${shown(user)} may write, must only read: a host's key would destroy what the hub has put there. Add -R to its ForceCommand`,
          ]),
    ];
  });
}

interface Block {
  readonly users: readonly string[];
  readonly lines: readonly (readonly [string, string])[];
}

/** The blocks of sshd's settings; a sentence where they are for others than named users. */
function blocksOf(text: string): Block[] | string {
  const blocks: { users: string[]; lines: [string, string][] }[] = [];
  for (const line of text.split("\n").map((each) => each.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const { keyword = "", value = "" } =
      /^(?<keyword>\w+)[\s=]+(?<value>.*)$/.exec(line)?.groups ?? {};
    if (keyword.toLowerCase() === "match") {
      const list = /^user\s+(?<users>[\w,-]+)$/i.exec(value)?.groups?.users;
      if (list === undefined) {
        return `its settings of the SSH server are for ${shown(value)}, must be for users by their names`;
      }
      blocks.push({ users: list.split(","), lines: [] });
      continue;
    }
    const block = blocks.at(-1);
    if (block === undefined) {
      return `its settings of the SSH server change ${shown(line)} for everybody on the peer. Put that below "Match User"`;
    }
    block.lines.push([keyword.toLowerCase(), value]);
  }
  return blocks;
}

/** What holds for a user: of several settings of a keyword sshd takes the first. */
function settingsOf(user: string, blocks: readonly Block[]): ReadonlyMap<string, string> {
  const lines = blocks.filter(({ users }) => users.includes(user)).flatMap((block) => block.lines);
  return new Map([...lines].reverse());
}
