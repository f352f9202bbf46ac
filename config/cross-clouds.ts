/** The checks between values of the config that speak of clouds: their buckets, keys and secrets. */
import { keyName } from "../credentials/names.ts";
import { ACCOUNT_TOKENS } from "../credentials/r2-keys.ts";
import { fields, type Fields } from "./fields.ts";
import { show, type Problem } from "./problems.ts";

/** How long a key's name may be, in characters. */
const KEY_NAMES: Readonly<Record<string, { readonly at: string; readonly limit: number }>> = {
  b2: { at: "B2", limit: 100 },
  r2: { at: "Cloudflare", limit: 120 },
};

function checkKeyNames(stack: string, hosts: Fields, targets: Fields): Problem[] {
  const longest = Object.keys(hosts).reduce((a, b) => (b.length > a.length ? b : a), "");
  return Object.entries(targets).flatMap(([name, target]) => {
    const service = KEY_NAMES[String(fields(target).type)];
    if (service === undefined) return [];
    const key = keyName({ stack, target: name, purpose: "restore", host: longest }, 1_000_000);
    if (key.length <= service.limit) return [];
    const message = `leads to ${service.at} key names such as ${show(key)}, longer than the ${service.limit} characters that ${service.at} allows. Choose shorter names for stack, target or hosts`;
    return [{ path: ["targets", name], message }];
  });
}

/** A bucket, or a folder of one, as its service tells it from others. */
interface Place {
  readonly name: string;
  readonly bucket: string;
  /** The account or address that the bucket's name is unique in. */
  readonly at: string;
  readonly prefix: string | undefined;
}

/** An address without what makes no other service of it: a slash at its end, the usual port. */
function origin(endpoint: unknown): unknown {
  if (typeof endpoint !== "string" || !URL.canParse(endpoint)) return endpoint;
  return new URL(endpoint).href.replace(/\/+$/, "");
}

function placesOf(targets: Fields): Place[] {
  return Object.entries(targets).flatMap(([name, value]) => {
    const { type, bucket, accountId, jurisdiction = "default", endpoint, prefix } = fields(value);
    if (typeof bucket !== "string") return [];
    const within =
      type === "r2" ? [accountId, jurisdiction] : type === "s3" ? [origin(endpoint)] : [];
    return [
      {
        name,
        bucket,
        at: JSON.stringify([type, ...within]).toLowerCase(),
        prefix: typeof prefix === "string" ? prefix : undefined,
      },
    ];
  });
}

/** Two targets in one bucket, or in one folder of it. */
function checkBuckets(targets: Fields): Problem[] {
  const places = placesOf(targets);
  return places.flatMap((place, index) =>
    places.flatMap((other, otherIndex) => {
      const isSame =
        other.at === place.at && other.bucket.toLowerCase() === place.bucket.toLowerCase();
      if (other === place || !isSame) return [];
      const [mine, theirs] = [place.prefix, other.prefix];
      if (mine === theirs) {
        if (otherIndex > index) return [];
        const at = mine === undefined ? "bucket" : "prefix";
        const message = `got ${show(mine ?? place.bucket)}, which targets.${other.name} has too: one bucket cannot be two targets`;
        return [{ path: ["targets", place.name, at], message }];
      }
      if (mine === undefined || !(theirs === undefined || mine.startsWith(`${theirs}/`))) return [];
      const whole = theirs === undefined ? "the whole bucket" : show(theirs);
      return [
        {
          path: ["targets", place.name, "prefix"],
          message: `got ${show(mine)}, which is inside ${whole}, where targets.${other.name} is. Give each a folder beside the other's`,
        },
      ];
    }),
  );
}

/** Tokens that a target has in the midst of a rotation: two turns, and the hub's next. */
function mostTokens(hosts: number): number {
  return 5 + 2 * hosts;
}

function checkTokens(hosts: Fields, targets: Fields): Problem[] {
  const count = Object.keys(hosts).length;
  const accounts = new Map<string, string[]>();
  for (const [name, value] of Object.entries(targets)) {
    const { type, accountId } = fields(value);
    if (type !== "r2" || typeof accountId !== "string") continue;
    accounts.set(accountId, [...(accounts.get(accountId) ?? []), name]);
  }
  return [...accounts].flatMap(([, names]) => {
    const needed = names.length * mostTokens(count);
    if (needed <= ACCOUNT_TOKENS) return [];
    return names.map((name) => ({
      path: ["targets", name],
      message: `leads to ${needed} API tokens at Cloudflare for ${count} hosts, more than the ${ACCOUNT_TOKENS} that an account may have. Spread the hosts over stacks with an account each, or take another type of target`,
    }));
  });
}

const S3_SECRETS = ["sync", "syncNext", "restore"] as const;

function howToSet(name: string, key: string): string {
  return `pulumi config set --secret --path 'fort-offsite:targetSecrets.${name}.${key}.accessKeyId', and the same with secretAccessKey`;
}

function checkSecrets(targets: Fields, secrets: Fields): Problem[] {
  const lacking = Object.entries(targets).flatMap(([name, target]): Problem[] => {
    const { type } = fields(target);
    if (type !== "s3" || fields(secrets[name]).sync !== undefined) return [];
    const message = `got nothing, must be the key pair with which the hub writes: an s3 target has no other. Set it with: ${howToSet(name, "sync")}`;
    return [{ path: ["targetSecrets", name, "sync"], message }];
  });
  const wrong = Object.entries(secrets).flatMap(([name, value]): Problem[] => {
    const path = ["targetSecrets", name];
    const target = Object.hasOwn(targets, name) ? fields(targets[name]) : undefined;
    if (target === undefined) {
      const message = `is of no target: there is none of that name. Correct it, or remove it with: pulumi config rm --path 'fort-offsite:targetSecrets.${name}'`;
      return [{ path, message }];
    }
    const given = fields(value);
    if (target.type !== "s3") {
      return S3_SECRETS.filter((key) => given[key] !== undefined).map((key) => ({
        path: [...path, key],
        message: `is for targets of type "s3", and targets.${name} is of type ${show(target.type)}, whose keys are made for it. Remove it with: pulumi config rm --path 'fort-offsite:targetSecrets.${name}.${key}'`,
      }));
    }
    const idOf = (key: (typeof S3_SECRETS)[number]) => fields(given[key]).accessKeyId;
    const writes = [idOf("sync"), idOf("syncNext")];
    if (idOf("restore") === undefined || !writes.includes(idOf("restore"))) return [];
    return [
      {
        path: [...path, "restore"],
        message:
          "is a key with which the hub writes, and every host would get it. Make one that only reads, or leave it out",
      },
    ];
  });
  return [...lacking, ...wrong];
}

/** Finds what is wrong with the clouds of a stack's config. */
export function cloudProblems(
  stack: string,
  hosts: Fields,
  targets: Fields,
  secrets: Fields,
): Problem[] {
  return [
    ...checkKeyNames(stack, hosts, targets),
    ...checkBuckets(targets),
    ...checkTokens(hosts, targets),
    ...checkSecrets(targets, secrets),
  ];
}
