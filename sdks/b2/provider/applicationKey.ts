import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import type { Client } from "../client/client.ts";
import { OutcomeUnknownError, UserError } from "../client/errors.ts";
import { bucketIdsOf, deleteKey } from "../client/keys.ts";
import type { Key, KeySettings } from "../client/types.ts";
import { checkApplicationKey } from "./applicationKeyCheck.ts";
import { differences, setDifference } from "./diff.ts";
import { KeyLedger } from "./keyLedger.ts";
import {
  InitFailedError,
  isUnresolved,
  unresolvedId,
  type DiffResult,
  type ReadState,
  type Resource,
  type State,
} from "./resource.ts";
import { hasUnknown, unknown, type Properties, type Value } from "./wire.ts";

/** `b2:index/applicationKey:ApplicationKey`. Nothing of a key can be changed but by a new one. */
export const applicationKeyResource: Resource = {
  secretOutputs: ["applicationKey"],
  check: checkApplicationKey,
  diff: diffKey,
  preview: previewKey,
  create,
  read,
  update: (_client, old) => Promise.resolve(old.properties),
  delete: remove,
};

// In the state of a key whose creation was lost: ids of keys that are not it.
const knownIds = "__knownKeyIds";

const ledgers = new WeakMap<Client, KeyLedger>();

function ledgerOf(client: Client): KeyLedger {
  const ledger = ledgers.get(client) ?? new KeyLedger(client);
  ledgers.set(client, ledger);
  return ledger;
}

function diffKey(old: State, inputs: Properties): DiffResult {
  if (isUnresolved(old.id)) {
    const path = "keyName";
    return { differences: [{ path, kind: "update", replaces: true }], deleteBeforeReplace: true };
  }
  const was = old.properties;
  const bucketPath =
    inputs.bucketId !== undefined || (inputs.bucketIds === undefined && !was.bucketIds)
      ? "bucketId"
      : "bucketIds";
  const absentIfEmpty = (value: Value | undefined) => (value === "" || value === 0 ? null : value);
  const text = (name: string) =>
    differences(name, absentIfEmpty(was[name]), absentIfEmpty(inputs[name]), true);
  return {
    differences: [
      ...text("keyName"),
      ...setDifference("capabilities", strings(was.capabilities), list(inputs.capabilities), true),
      ...setDifference(bucketPath, strings(bucketList(was)), bucketList(inputs), true),
      ...text("namePrefix"),
      ...text("validDurationInSeconds"),
    ],
    // Names need not be unique, so the new key stands before the old one goes.
    deleteBeforeReplace: false,
  };
}

function list(value: Value | undefined): Value[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
}

function strings(value: Value | undefined): string[] {
  return list(value).filter((item) => typeof item === "string");
}

// Both ways of naming buckets; the deprecated one counts only where the other says nothing.
function bucketList(properties: Properties): Value[] {
  const ids = list(properties.bucketIds);
  return ids.length > 0 ? ids : list(properties.bucketId).filter((id) => id !== "");
}

function previewKey(inputs: Properties): Properties {
  const ids = bucketList(inputs);
  return {
    ...inputs,
    applicationKey: unknown,
    applicationKeyId: unknown,
    b2ApplicationKeyId: unknown,
    bucketId: hasUnknown(ids) ? unknown : ([...ids].sort()[0] ?? ""),
    ...(ids.length > 0 ? { bucketIds: hasUnknown(ids) ? unknown : [...ids].sort() } : {}),
    expirationTimestamp: inputs.validDurationInSeconds === undefined ? 0 : unknown,
    namePrefix: inputs.namePrefix ?? "",
    options: unknown,
    validDurationInSeconds: inputs.validDurationInSeconds ?? 0,
  };
}

function toSettings(inputs: Properties): KeySettings {
  const { keyName, namePrefix, validDurationInSeconds } = inputs;
  return {
    keyName: keyName as string,
    capabilities: strings(inputs.capabilities),
    bucketIds: [...new Set(strings(bucketList(inputs)))].sort(),
    ...(namePrefix ? { namePrefix: namePrefix as string } : {}),
    ...(validDurationInSeconds ? { validDurationInSeconds: validDurationInSeconds as number } : {}),
  };
}

// In the shape that the bridged Terraform provider gives: sets in order, "" and 0 for what is not.
function toOutputs(key: Key): Properties {
  const bucketIds = bucketIdsOf(key);
  return {
    applicationKeyId: key.applicationKeyId,
    b2ApplicationKeyId: key.applicationKeyId,
    bucketId: bucketIds[0] ?? "",
    ...(bucketIds.length > 0 ? { bucketIds } : {}),
    capabilities: [...key.capabilities].sort(),
    expirationTimestamp: key.expirationTimestamp ?? 0,
    keyName: key.keyName,
    namePrefix: key.namePrefix ?? "",
    options: [...(key.options ?? [])].sort(),
  };
}

async function create(client: Client, inputs: Properties): Promise<State> {
  const settings = toSettings(inputs);
  const ledger = ledgerOf(client);
  try {
    const key = await ledger.create(settings);
    return {
      id: key.applicationKeyId,
      properties: {
        ...toOutputs(key),
        applicationKey: key.applicationKey,
        validDurationInSeconds: settings.validDurationInSeconds ?? 0,
      },
    };
  } catch (error) {
    if (!(error instanceof OutcomeUnknownError)) throw error;
    const known = [...(await ledger.known(settings))];
    throw new InitFailedError(
      unresolvedId(settings.keyName),
      { ...inputs, [knownIds]: known },
      error,
    );
  }
}

async function read(
  client: Client,
  given: string,
  old?: ReadState,
): Promise<ReadState | undefined> {
  // Its secret is lost, so there is nothing to adopt; the next up or destroy deletes it.
  if (isUnresolved(given)) return old;
  const { id, secret: known } = old === undefined ? await importOf(given) : { id: given };
  const key = await ledgerOf(client).find(id);
  if (!key) return undefined;
  if (known !== undefined) await client.prove(id, known);
  const secret = known ?? old?.properties.applicationKey;
  const duration = old?.properties.validDurationInSeconds;
  const properties = {
    ...toOutputs(key),
    // Neither is told again; an import does without.
    ...(secret === undefined ? {} : { applicationKey: secret }),
    ...(duration === undefined ? {} : { validDurationInSeconds: duration }),
  };
  return { id, properties, inputs: toInputs(properties, old?.inputs) };
}

// Who still has the secret of a key that is imported names a file with it: `<id>@<file>`. The secret
// itself is no part of an id: while an import runs, its id is in the state in clear text.
async function importOf(given: string): Promise<{ id: string; secret?: string }> {
  const at = given.indexOf("@");
  if (at < 0) return { id: given };
  const file = given.slice(at + 1);
  if (!path.isAbsolute(file)) {
    throw new UserError(`The import's id names the file "${file}", must be an absolute path`);
  }
  let mode: number;
  let text: string;
  try {
    mode = (await stat(file)).mode;
    text = await readFile(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(
      `The import's id names the file ${file}, which cannot be read: ${code ?? ""}`,
    );
  }
  if ((mode & 0o077) !== 0) {
    throw new UserError(
      `${file} holds a key's secret, and others can read it. Make it anew with mode 0600`,
    );
  }
  return { id: given.slice(0, at), secret: text.trim() };
}

function toInputs(properties: Properties, old: Properties | undefined): Properties {
  const { bucketIds, capabilities, keyName, namePrefix, validDurationInSeconds } = properties;
  const kept = (name: string, value: Value[]) =>
    old && setDifference("", strings(old[name]), value, false).length === 0 ? old[name] : value;
  return {
    keyName: keyName ?? null,
    capabilities: kept("capabilities", list(capabilities)) ?? null,
    ...(old?.bucketId !== undefined && list(bucketIds).length === 1
      ? { bucketId: list(bucketIds)[0] ?? null }
      : list(bucketIds).length > 0
        ? { bucketIds: kept("bucketIds", list(bucketIds)) ?? null }
        : {}),
    ...(namePrefix ? { namePrefix } : {}),
    ...(validDurationInSeconds ? { validDurationInSeconds } : {}),
  };
}

async function remove(client: Client, old: State): Promise<void> {
  if (!isUnresolved(old.id)) {
    await deleteKey(client, old.id);
    ledgerOf(client).forget();
    return;
  }
  const known = new Set(strings(old.properties[knownIds]));
  await ledgerOf(client).deleteLost(toSettings(old.properties), known);
}
