/** `Pulumi.<stack>.yaml`: what is in it, and how settings go into it without losing the rest. */
import { existsSync, readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { isMap, isScalar, parseDocument, type Document, type Scalar } from "yaml";
import { NAMESPACE } from "../../config/parse.ts";
import { SECRET_KEYS } from "../../config/stack.ts";
import { messageOf, UsageError } from "../../hub/errors.ts";
import { isRecord, SECTIONS, type Draft } from "./draft.ts";

/** A stack's file as it is. */
export interface SettingsFile {
  /** Its bytes as text; undefined where there is no file. */
  readonly text: string | undefined;
  /** Our own settings without the secrets; what still waits to be filled in is left out. */
  readonly settings: Draft;
  /** Whether settings are there and nothing waits to be filled in. */
  readonly isFilledIn: boolean;
  /** The keys whose values are encrypted, with their namespace. */
  readonly secrets: ReadonlySet<string>;
  /** Our own secrets that stand there in clear text. */
  readonly exposed: readonly string[];
  /** What Pulumi recognises the passphrase by. */
  readonly salt: string | undefined;
  /** Whether the secrets are encrypted with a service's key and not with a passphrase. */
  readonly hasOtherProvider: boolean;
}

/**
 * Reads a stack's file.
 *
 * @throws UsageError where it cannot be read or is no YAML.
 */
export function readSettingsFile(file: string): SettingsFile {
  const text = existsSync(file) ? readText(file) : undefined;
  const document = parse(file, text ?? "");
  const content: unknown = document.toJS();
  const root = isRecord(content) ? content : {};
  const config = isRecord(root.config) ? root.config : {};
  const encrypted = Object.entries(config).filter(([, value]) => isEncrypted(value));
  const own = Object.entries(config).flatMap(([key, value]) => {
    const name = key.startsWith(`${NAMESPACE}:`) ? key.slice(NAMESPACE.length + 1) : "";
    const isSecret = (SECRET_KEYS as readonly string[]).includes(name) || isEncrypted(value);
    return name === "" || isSecret ? [] : [[name, value] as const];
  });
  const settings = filled(Object.fromEntries(own));
  return {
    text,
    settings: isRecord(settings) ? settings : {},
    isFilledIn: own.length > 0 && isDeepStrictEqual(settings, Object.fromEntries(own)),
    secrets: new Set(encrypted.map(([key]) => key)),
    exposed: SECRET_KEYS.map((key) => `${NAMESPACE}:${key}`).filter(
      (key) => filled(config[key]) !== undefined && !isEncrypted(config[key]),
    ),
    salt: typeof root.encryptionsalt === "string" ? root.encryptionsalt : undefined,
    hasOtherProvider:
      typeof root.secretsprovider === "string" && root.secretsprovider !== "passphrase",
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}`);
  }
}

function parse(file: string, text: string): Document {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem === undefined) return document;
  throw new UsageError(`${file} is no YAML: ${messageOf(problem)}. Correct it, or move it away`);
}

function isEncrypted(value: unknown): boolean {
  return isRecord(value) && typeof value.secure === "string";
}

/** Without the strings that still say what belongs there. */
function filled(value: unknown): unknown {
  if (typeof value === "string") return /<[^<>]+>/.test(value) ? undefined : value;
  if (Array.isArray(value)) return value.map(filled).filter((each) => each !== undefined);
  if (!isRecord(value)) return value;
  const members = Object.entries(value).map(([name, each]) => [name, filled(each)] as const);
  return Object.fromEntries(members.filter(([, each]) => each !== undefined));
}

const HEADER = ` yaml-language-server: $schema=config/stack.schema.json

 The settings of one installation, without anything secret in clear text. Written by
 \`offsite init\`, and yours to change: \`pulumi preview\` checks them and shows what would change,
 \`pulumi up\` does it. What is encrypted here opens with the stack's passphrase alone: keep both.`;

const COMMENTS: Readonly<Record<string, string>> = {
  hub: " The machine that the hosts back up to, and the URL at which they reach it.",
  hosts:
    " What is backed up: the public key that a host's credentials are sealed to, and about how much\n it holds. `offsite rotate` with its name turns a host's credentials over; with\n `growthGiBPerMonth` `offsite cost` looks ahead.",
  targets:
    " The places elsewhere. `offsite rotate` with its name turns the keys of one over; with `keyDays`\n those of a bucket end by themselves.",
  guests:
    " Machines of others that keep their own backups at the hub: docs/guests.md. `key` is their owner's\n public key, to which the file is sealed that restic needs there.",
  seal: " How the bundle's files are encrypted, and where they go. Operators can read all of them.",
  prices: " Prices that go before the table of `offsite cost`.",
  lookForDrift: " Whether previews look at the peers and the bundle for changes made by hand.",
};

/**
 * Puts settings into a stack's file. What did not change keeps its form and its comments; settings
 * of others, secrets and the salt stay.
 *
 * @param before - the file as {@link readSettingsFile} found it.
 * @returns the new text.
 */
export function settingsText(file: string, before: SettingsFile, settings: Draft): string {
  const { text = "", isFilledIn } = before;
  // The library moves some comments a little: a file that stays as it is must keep its bytes.
  if (isFilledIn && isDeepStrictEqual(settings, before.settings)) return text;
  const document = parse(file, text);
  if (!isMap(document.contents)) document.contents = document.createNode({});
  if (!isMap(document.get("config"))) document.set("config", document.createNode({}));
  for (const section of SECTIONS) {
    const path = ["config", `${NAMESPACE}:${section}`];
    if (settings[section] === undefined) document.deleteIn(path);
    else update(document, path, settings[section]);
  }
  if (!isFilledIn) explain(document);
  return document.toString({ lineWidth: 0 });
}

function update(document: Document, path: readonly unknown[], value: unknown): void {
  const node = document.getIn(path, true);
  if (!isMap(node) || !isRecord(value)) {
    if (document.hasIn(path) && isDeepStrictEqual(plain(node), value)) return;
    // A scalar keeps its comment when only its value changes.
    if (isScalar(node) && typeof value !== "object") node.value = value;
    else document.setIn(path, document.createNode(value));
    return;
  }
  // A name such as 12 is a number as a key.
  const keys = new Map(keysOf(node).map(({ value: key }) => [String(key), key] as const));
  for (const [name, key] of keys) {
    if (!Object.hasOwn(value, name)) document.deleteIn([...path, key]);
  }
  for (const [name, each] of Object.entries(value)) {
    update(document, [...path, keys.has(name) ? keys.get(name) : name], each);
  }
}

function plain(node: unknown): unknown {
  return isRecord(node) && "toJSON" in node && typeof node.toJSON === "function"
    ? (node.toJSON as () => unknown)()
    : node;
}

/** Says what each part is, where nobody has said it yet. */
function explain(document: Document): void {
  for (const node of [document, document.contents, ...keysOf(document.contents)]) {
    // What the file in git says of itself while it waits to be filled in.
    if (/<[^<>]+>/.test(node?.commentBefore ?? "") && node !== null) node.commentBefore = null;
  }
  document.commentBefore ??= HEADER;
  for (const key of keysOf(document.get("config"))) {
    const comment = COMMENTS[String(key.value).replace(`${NAMESPACE}:`, "")];
    if (comment !== undefined) key.commentBefore ??= comment;
  }
}

function keysOf(node: unknown): Scalar[] {
  return isMap(node) ? node.items.map(({ key }) => key).filter((key) => isScalar(key)) : [];
}
