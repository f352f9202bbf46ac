/** What a run is called by those who are told of it. */

/** What was asked for. */
export interface Asked {
  /** Hosts by name; none is all. */
  readonly hosts?: readonly string[] | undefined;
  /** Targets by name; none is all. */
  readonly targets?: readonly string[] | undefined;
  /** Whether it only says what it would do, or is of one snapshot. */
  readonly isTrial?: boolean | undefined;
}

/**
 * The name of a run: `mirror`, `mirror-cloud`, `drill-control`. Of a run that does a part of what
 * its timer has it do nobody is told: its success would hide that the whole fails.
 *
 * @returns undefined where nobody is told.
 */
export function checkOf(
  command: string,
  { hosts = [], targets = [], isTrial = false }: Asked,
): string | undefined {
  const [target, ...others] = targets;
  if (isTrial || hosts.length > 0 || others.length > 0) return undefined;
  return target === undefined ? command : `${command}-${target}`;
}
