/** What `offsite recover` says: before it changes anything, and after. */
import { counted, printable } from "../../hub/format.ts";
import type { KeyPlan, TargetPlan } from "./plan.ts";

const of = (keys: readonly KeyPlan[], kind: KeyPlan["outcome"]["kind"]) =>
  keys.filter(({ outcome }) => outcome.kind === kind);

/** The plan, line by line. */
export function planLines(
  plans: readonly TargetPlan[],
  closed: ReadonlyMap<string, string>,
): string[] {
  const lost = plans.some(({ keys }) => of(keys, "lost").length > 0);
  return [
    ...plans.flatMap(targetLines),
    ...(lost ? ["", "Not opened:", ...closedLines(closed)] : []),
  ];
}

function targetLines(plan: TargetPlan): string[] {
  const { target, bucketName, bucket, keys, former } = plan;
  const lines = [
    bucket === undefined
      ? `the bucket ${bucketName} is not in this account: pulumi up would make a new and empty one`
      : bucket.isHere
        ? `the bucket ${bucketName} is in the state`
        : `the bucket ${bucketName} comes back (${bucket.id}); no file in it is touched`,
  ];
  const here = of(keys, "here").length;
  const back = of(keys, "import");
  if (here > 0) lines.push(`${counted(here, "key")} in the state already`);
  if (back.length > 0) {
    lines.push(
      `${counted(back.length, "key")} back with the same secret, each tried at Backblaze:`,
    );
    lines.push(...back.map(({ name }) => `  ${name}`));
  }
  for (const { name, outcome } of of(keys, "lost")) {
    if (outcome.kind === "lost") lines.push(`cannot come back: ${name}: ${outcome.reason}`);
  }
  for (const { resource, outcome } of of(keys, "secretless")) {
    if (outcome.kind !== "secretless") continue;
    lines.push(
      `${resource} is in the state without its secret. Let Pulumi forget it, and run this again: pulumi state delete '${outcome.urn}'`,
    );
  }
  const made = of(keys, "new");
  if (made.length > 0) {
    const names = made.map(({ name }) => name).join(", ");
    lines.push(`not at Backblaze, pulumi up will make: ${names}`);
  }
  if (former.length > 0) {
    lines.push(
      `of other generations, not taken over: ${former.map(printable).join(", ")}. They go on working; delete them at Backblaze after every machine was deployed`,
    );
  }
  return [`${target}:`, ...lines.map((line) => `  ${line}`)];
}

function closedLines(closed: ReadonlyMap<string, string>): string[] {
  return [...closed].map(([file, reason]) => `  ${file}: ${reason}`);
}

/** What the operator has to do now. */
export function lastWords(plans: readonly TargetPlan[]): string[] {
  const isLost = plans.some(({ keys }) => of(keys, "lost").length > 0);
  return [
    ...(isLost
      ? [
          "Keys that cannot come back: pulumi up makes new ones under the same names, and writes them over the bundle. The old ones keep working; when every machine was deployed, delete them at Backblaze (offsite verify lists them as strangers).",
        ]
      : []),
    "Now: pulumi preview shows no change to what came back, and new files of the bundle, whose content is the same. Then: pulumi up.",
  ];
}
