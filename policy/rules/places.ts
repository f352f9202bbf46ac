/** Whether the targets are places that one misfortune does not take together. */
import { warning, type ResourceFacts, type StackRule, type Verdict } from "../model.ts";
import { targetTypeOf } from "../types.ts";
import { isObject, isUnseen } from "../values.ts";

/** What kind of place a target is, and which. */
interface Place {
  readonly target: ResourceFacts;
  /** Two of one kind fail together: one account, one company, one way to break in. */
  readonly kind: string;
  /** Where the data is: a company, or a machine. */
  readonly where: string;
  readonly class: "cloud" | "machine" | "unknown";
}

/** Companies by the ends of their S3 addresses. */
const PROVIDERS: readonly (readonly [RegExp, string])[] = [
  [/(?:^|\.)(?:backblazeb2|backblaze)\.com$/, "Backblaze"],
  [/(?:^|\.)cloudflarestorage\.com$/, "Cloudflare"],
  [/(?:^|\.)amazonaws\.com$/, "Amazon"],
  [/(?:^|\.)wasabisys\.com$/, "Wasabi"],
  [/(?:^|\.)googleapis\.com$/, "Google"],
  [/(?:^|\.)digitaloceanspaces\.com$/, "DigitalOcean"],
  [/(?:^|\.)scw\.cloud$/, "Scaleway"],
  [/(?:^|\.)your-objectstorage\.com$/, "Hetzner"],
  [/(?:^|\.)idrivee2[\w-]*\.com$/, "IDrive"],
];

export const twoKindsOfPlaces: StackRule = {
  name: "two-kinds-of-places",
  description: "The copies are at two places at least, and the two are of different kinds (3-2-1)",
  of: "stack",
  judge: (resources) => {
    const places = resources.flatMap(placeOf);
    const names = places.map(({ target }) => target.name).join(", ");
    const way =
      "Have a cloud and somebody's machine among the targets: a rule for backups is three copies, on two kinds of storage, one of them elsewhere";
    if (places.length < 2) {
      const has =
        places.length === 0 ? "there is no target" : `there is one target alone, ${names}`;
      return [{ severity: "error", subject: "targets", message: `${has}. ${way}` }];
    }
    const kinds = new Set(places.map(({ kind }) => kind));
    const wheres = new Set(places.map(({ where }) => where));
    if (kinds.size < 2 || wheres.size < 2) {
      const [one] = kinds.size < 2 ? kinds : wheres;
      const message = `all of them (${names}) are ${kinds.size < 2 ? "of one kind" : "at one place"}: ${one ?? ""}. ${way}`;
      return [{ severity: "error", subject: "targets", message }];
    }
    const classes = new Set(places.map((place) => place.class));
    const [only] = classes;
    if (classes.size > 1 || only === "unknown") return samePlaces(places);
    const all =
      only === "cloud" ? "clouds: an account can be closed from afar" : "machines of people";
    const message = `all of them (${names}) are ${all}. ${way}`;
    return [{ severity: "warning", subject: "targets", message }, ...samePlaces(places)];
  },
};

/** Targets beyond the first at one place: they are copies in name alone. */
function samePlaces(places: readonly Place[]): Verdict[] {
  return places.flatMap(({ target, where }, at) => {
    const first = places.slice(0, at).find((place) => place.where === where);
    if (first === undefined) return [];
    const message = `it is where ${first.target.name} is (${where}), so that both are lost together`;
    return [warning(target, target.name, message)];
  });
}

function placeOf(target: ResourceFacts): Place[] {
  const type = targetTypeOf(target.type);
  const { manifest } = target.inputs;
  const facts = isObject(manifest) && !isUnseen(manifest) ? manifest : {};
  switch (type) {
    case undefined:
      return [];
    case "B2":
      return [{ target, kind: "Backblaze", where: "Backblaze", class: "cloud" }];
    case "R2":
      return [{ target, kind: "Cloudflare", where: "Cloudflare", class: "cloud" }];
    case "S3":
      return [s3Place(target, hostOf(facts.endpoint))];
    default: {
      const named = typeof facts.host === "string" && !isUnseen(facts.host);
      const host = named ? String(facts.host).toLowerCase() : hostOf(facts.url);
      const kind = type === "RestServer" ? "rest-server" : type.toLowerCase();
      return [{ target, kind, where: host ?? target.name, class: "machine" }];
    }
  }
}

function s3Place(target: ResourceFacts, host: string | undefined): Place {
  const provider = PROVIDERS.find(([pattern]) => pattern.test(host ?? ""))?.[1];
  if (provider !== undefined) return { target, kind: provider, where: provider, class: "cloud" };
  const where = host ?? target.name;
  return { target, kind: `S3 at ${where}`, where, class: "unknown" };
}

/** The machine in an address: `https://host:8000/`. */
function hostOf(address: unknown): string | undefined {
  if (typeof address !== "string" || isUnseen(address)) return undefined;
  const host = /^[a-z0-9]+:\/\/(?:[^@/]*@)?(?<name>\[[^\]]+\]|[^:/]+)/i.exec(address)?.groups;
  return host?.name?.replaceAll(/[[\]]/g, "").toLowerCase();
}
