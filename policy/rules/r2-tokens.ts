/** The rules for tokens that open buckets at Cloudflare R2. */
import { R2_PERMISSIONS } from "../../credentials/r2-keys.ts";
import {
  error,
  warning,
  type ResourceFacts,
  type ResourceRule,
  type StackRule,
  type Verdict,
} from "../model.ts";
import { keyNameOf, keyWords, targetOf } from "../names.ts";
import { isCloudflareToken, R2_BUCKET } from "../types.ts";
import { asList, isObject, isUnseen, shown } from "../values.ts";

const { restore: ITEM_READ, sync: ITEM_WRITE } = R2_PERMISSIONS;

/** Cloudflare's permission groups as it shows them (Cloudflare, R2: Authentication). */
const GROUP_NAMES: Readonly<Record<string, string>> = {
  [ITEM_READ]: "Workers R2 Storage Bucket Item Read",
  [ITEM_WRITE]: "Workers R2 Storage Bucket Item Write",
  b4992e1108244f5d8bfbd5744320c2e1: "Workers R2 Storage Read",
  bf7481a1826f439697cb59a20b22293e: "Workers R2 Storage Write",
};

/** The policies of a token that allow something; undefined where they cannot be seen. */
function grantsOf({ inputs }: ResourceFacts): Readonly<Record<string, unknown>>[] | undefined {
  const policies = asList(inputs.policies);
  if (policies === undefined || !policies.every(isObject) || policies.some(isUnseen)) {
    return undefined;
  }
  return policies.filter(({ effect }) => effect !== "deny");
}

export const r2TokensDoNoMore: ResourceRule = {
  name: "r2-tokens-do-no-more",
  description: "A token reads what is in its bucket, and only one for syncing writes there",
  of: "resource",
  judge: (token) => {
    if (!isCloudflareToken(token.type)) return [];
    const subject = keyWords(token.name);
    const grants = grantsOf(token);
    if (grants === undefined) {
      const message = `policies is ${shown(token.inputs.policies)}, and a token that cannot be judged must not be made`;
      return [error(token, subject, message)];
    }
    const { purpose } = keyNameOf(token.name);
    const allowed: readonly string[] = purpose === "sync" ? [ITEM_READ, ITEM_WRITE] : [ITEM_READ];
    const groups = grants.flatMap(groupsOf);
    const unseen = groups.some(isUnseen);
    const bad = groups.filter((group) => !isUnseen(group) && !allowed.includes(String(group)));
    return [
      ...bad.map((group) =>
        error(
          token,
          subject,
          `it has the permission ${groupWords(group)}, must have at most ${allowed.map(groupWords).join(", ")}. Take it away`,
        ),
      ),
      ...(unseen
        ? [
            warning(
              token,
              subject,
              "what it permits is not known before the update. Look again after it",
            ),
          ]
        : []),
    ];
  },
};

/** The permission groups of a policy; one that cannot be read stands for all of them. */
function groupsOf({ permissionGroups }: Readonly<Record<string, unknown>>): unknown[] {
  const groups = asList(permissionGroups);
  if (groups === undefined) return [permissionGroups];
  return groups.map((group) => (isObject(group) && !isUnseen(group) ? group.id : group));
}

function groupWords(group: unknown): string {
  const name = typeof group === "string" ? GROUP_NAMES[group] : undefined;
  return name === undefined ? shown(group) : `"${name}"`;
}

export const r2TokensRestricted: StackRule = {
  name: "r2-tokens-restricted-to-their-bucket",
  description: "A token opens its own target's bucket at R2 and nothing else of the account",
  of: "stack",
  judge: (resources) => {
    const buckets = new Map(
      resources
        .filter(({ type }) => type === R2_BUCKET)
        .map((bucket) => [targetOf(bucket.name), bucket]),
    );
    return resources
      .filter(({ type }) => isCloudflareToken(type))
      .flatMap((token) => scopeProblems(token, buckets.get(targetOf(token.name))));
  },
};

const SCOPE =
  /^com\.cloudflare\.edge\.r2\.bucket\.(?<account>[^_]+)_(?<jurisdiction>[^_]+)_(?<bucket>.+)$/;

function scopeProblems(token: ResourceFacts, bucket: ResourceFacts | undefined): Verdict[] {
  const subject = keyWords(token.name);
  // What cannot be read at all is told by the rule on what it permits.
  const scopes = (grantsOf(token) ?? []).map(({ resources }) => scopesOf(resources));
  if (scopes.includes(undefined)) {
    const message = "what it opens is not known before the update. Look again after it";
    return [warning(token, subject, message)];
  }
  const way = `must be the bucket of ${targetOf(token.name)} alone: com.cloudflare.edge.r2.bucket.<account>_<jurisdiction>_<bucket>`;
  const all = [...new Set(scopes.flat())];
  const bad = all.filter((scope) => !isScopeOf(scope ?? "", bucket));
  const problems = bad.map((scope) => `it opens ${shown(scope)}, ${way}`);
  if (all.length === 0) problems.push(`it opens nothing that can be read, ${way}`);
  if (all.length > 1 && bad.length === 0) problems.push(`it opens ${all.length} buckets, ${way}`);
  return problems.map((message) => error(token, subject, message));
}

/** The resources that a policy is for, which Cloudflare takes as JSON; undefined where not seen. */
function scopesOf(resources: unknown): string[] | undefined {
  if (isUnseen(resources)) return undefined;
  try {
    const parsed: unknown = typeof resources === "string" ? JSON.parse(resources) : resources;
    return isObject(parsed) ? Object.keys(parsed) : [String(resources)];
  } catch {
    return [String(resources)];
  }
}

function isScopeOf(scope: string, bucket: ResourceFacts | undefined): boolean {
  const groups = SCOPE.exec(scope)?.groups;
  if (groups === undefined || scope.includes("*")) return false;
  if (bucket === undefined) return false;
  const { accountId, jurisdiction, name } = bucket.inputs;
  const is = (value: unknown, part: string | undefined) => isUnseen(value) || value === part;
  return (
    is(accountId, groups.account) &&
    is(jurisdiction ?? "default", groups.jurisdiction) &&
    is(name, groups.bucket)
  );
}
