/** `fort-offsite:guests`: machines of others that keep their backups at the hub. */
import { z } from "zod";
import { fields, type Fields } from "./fields.ts";
import type { Problem } from "./problems.ts";
import type { StackRecord } from "./record.ts";
import type { StackConfig } from "./stack.ts";
import { show } from "./problems.ts";
import * as rules from "./rules.ts";
import { generation, revoked, sizeGiB } from "./targets/common.ts";

/** Somebody else's machine, with a server of its own at the hub. */
export const guestSchema = z.strictObject({
  key: rules.sealKey.describe("The public key of its owner, to which the guest's file is sealed."),
  maxSizeGiB: sizeGiB.describe("What it may keep at the hub, in GiB."),
  url: rules.baseUrl
    .optional()
    .describe("Where this guest reaches its server, when it is not hub.guestsUrl."),
  generation,
  revoked,
});

/** The settings of the hub that guests need. */
export const guestsAtHub = {
  guestsUrl: rules.baseUrl
    .optional()
    .describe(
      "Where guests reach the hub, often another address than the hosts' url. A guest's repository is below it, under the guest's name.",
    ),
  guestRepositories: rules.ownDirectory
    .default("/var/lib/restic-guests")
    .describe("The hub's directory of the guests' repositories."),
};

export type GuestConfig = z.infer<typeof guestSchema>;

/** The settings between which something can be wrong, as they were given. */
interface Given {
  readonly guests: Fields;
  readonly hosts: Fields;
  readonly hub: Fields;
}

/** Finds what is wrong between guests, hosts and hub. */
export function guestProblems({ guests, hosts, hub }: Given): Problem[] {
  const names = Object.keys(guests);
  if (names.length === 0) return [];
  return [...names.flatMap((name) => nameProblems(name, hosts, hub)), ...placeProblems(hub)].concat(
    names
      .filter((name) => hub.guestsUrl === undefined && fields(guests[name]).url === undefined)
      .map((name) => ({
        path: ["guests", name, "url"],
        message:
          "got nothing, must be the URL at which the guest reaches the hub; or set hub.guestsUrl for all guests",
      })),
  );
}

function nameProblems(name: string, hosts: Fields, hub: Fields): Problem[] {
  const path = ["guests", name];
  if (!rules.guestName.safeParse(name).success) {
    return [{ path, message: `got the name ${show(name)}, must be ${rules.GUEST_NAME_RULE}` }];
  }
  if (!Object.hasOwn(hosts, name) && hub.host !== name) return [];
  const what = Object.hasOwn(hosts, name) ? "a host" : "the hub itself";
  return [
    {
      path,
      message: `got the name of ${what}: one path at the hub cannot be both. Choose another`,
    },
  ];
}

/** The agent takes what is among the hosts' repositories for theirs. */
function placeProblems({ repositories, guestRepositories }: Fields): Problem[] {
  const guests = guestRepositories ?? "/var/lib/restic-guests";
  if (typeof repositories !== "string" || typeof guests !== "string") return [];
  const isWithin = (inner: string, outer: string) => `${inner}/`.startsWith(`${outer}/`);
  if (!isWithin(guests, repositories) && !isWithin(repositories, guests)) return [];
  return [
    {
      path: ["hub", "guestRepositories"],
      message: `got ${show(guests)}, must be beside hub.repositories (${show(repositories)}) and neither in it nor around it: what is there is mirrored, pruned and open to the hosts' server`,
    },
  ];
}

/** The base URL of a guest, ending in a slash; its repository is below it, under its name. */
export function guestBase(
  { guestsUrl }: { readonly guestsUrl?: string | undefined },
  guest: Pick<GuestConfig, "url">,
): string {
  return (guest.url ?? guestsUrl ?? "").replace(/\/*$/, "/");
}

/** What happens to the data of guests that the last update had and the config has no more. */
export function guestFarewells(
  { guests, hub }: Pick<StackConfig, "guests" | "hub">,
  before: StackRecord | undefined,
): string[] {
  const had = Object.keys(before?.guests ?? {}).filter((name) =>
    Object.keys(before?.files ?? {}).some((path) => path.startsWith(`guests/${name}.env`)),
  );
  return had
    .filter((name) => !Object.hasOwn(guests, name))
    .map(
      (name) =>
        `the guest ${name} is no longer in the config: once ${hub.host} is deployed nobody serves it, and its repository stays in ${hub.guestRepositories}/${name}. Delete it there by hand, or put the guest back into the config: it finds it again`,
    );
}
