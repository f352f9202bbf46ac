import type { Finding, ResourceFacts, Rule } from "./model.ts";
import { b2Encrypted, b2HiddenVersionsKept, noPublicB2Bucket } from "./rules/b2-bucket.ts";
import {
  keysDoNoMore,
  keysRestricted,
  noKeyThatDeletes,
  restoreKeysReadOnly,
} from "./rules/b2-keys.ts";
import { bundleSealed } from "./rules/bundle.ts";
import { noHostLeftOut } from "./rules/hosts.ts";
import { knownResources, peerGetsWhatIsShown } from "./rules/known.ts";
import {
  peerAppendOnly,
  peerConfined,
  peerImagePinned,
  peerNotWide,
  peerPrivate,
} from "./rules/peer.ts";
import { twoKindsOfPlaces } from "./rules/places.ts";
import { dataProtected } from "./rules/protection.ts";
import { r2TokensDoNoMore, r2TokensRestricted } from "./rules/r2-tokens.ts";
import { noPublicR2Bucket, r2LifecycleKeeps, r2Locked } from "./rules/r2.ts";
import { sftpConfined } from "./rules/sftp.ts";
import { madeElsewhere } from "./rules/unseen.ts";

/** Every rule, in the order in which their findings are told. */
export const RULES: readonly Rule[] = [
  noPublicB2Bucket,
  noPublicR2Bucket,
  noKeyThatDeletes,
  restoreKeysReadOnly,
  keysDoNoMore,
  keysRestricted,
  r2TokensDoNoMore,
  r2TokensRestricted,
  b2HiddenVersionsKept,
  r2Locked,
  r2LifecycleKeeps,
  b2Encrypted,
  peerAppendOnly,
  peerPrivate,
  peerNotWide,
  peerImagePinned,
  peerConfined,
  sftpConfined,
  peerGetsWhatIsShown,
  dataProtected,
  twoKindsOfPlaces,
  noHostLeftOut,
  madeElsewhere,
  knownResources,
  bundleSealed,
];

/** What one rule says of the resources. */
export function apply(rule: Rule, resources: readonly ResourceFacts[]): Finding[] {
  const verdicts = rule.of === "stack" ? rule.judge(resources) : resources.flatMap(rule.judge);
  return verdicts.map((verdict) => ({ rule: rule.name, ...verdict }));
}

/**
 * Holds the resources that a stack will have against all rules.
 *
 * @returns what is wrong, errors first; nothing where all is well.
 */
export function judge(resources: readonly ResourceFacts[]): Finding[] {
  const findings = RULES.flatMap((rule) => apply(rule, resources));
  const of = (severity: Finding["severity"]) =>
    findings.filter((finding) => finding.severity === severity);
  return [...of("error"), ...of("warning")];
}
