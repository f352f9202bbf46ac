import bcrypt from "bcryptjs";
import { describe, expect, it } from "vitest";
import { guestFiles, guestManifests } from "../../components/guests.ts";
import { formatOf, recipientsOf, sealedPath } from "../../components/sealed-file.ts";
import { parseStackConfig } from "../../config/parse.ts";
import { derivePassword } from "../../credentials/derive.ts";
import { HashMemory } from "../../credentials/htpasswd.ts";
import { AGE_KEY, raw, SEED, SSH_KEY, validConfig } from "../config/valid.ts";

const BROTHER = `${SSH_KEY} brother@laptop`;

function argsOf(guest: object, format = "age") {
  const given = validConfig();
  const { seal, guests, hub } = parseStackConfig(
    raw({
      ...given,
      hub: { ...(given.hub as object), guestsUrl: "https://friends.example/hub" },
      seal: { ...(given.seal as object), format },
      guests: { laptop: { key: BROTHER, maxSizeGiB: 100, ...guest } },
    }),
    "test",
  );
  return { stack: "test", hub, guests, seal, seed: SEED, hashes: new HashMemory() };
}

/** The files of the guest laptop: the hub's and its own. */
function filesOf(guest: object, format?: string) {
  const args = argsOf(guest, format);
  const [users, environment] = guestFiles(args, AGE_KEY);
  if (users === undefined || environment === undefined) throw new Error("not both");
  return { ...args, users, environment };
}

const accepted = (users: string, generation: number) => {
  const password = derivePassword(SEED, { at: "guest", guest: "laptop" }, generation);
  const line = users.split("\n").find((each) => each.startsWith(`laptop-g${generation}:`));
  return line !== undefined && bcrypt.compareSync(password, line.split(":")[1] ?? "");
};

describe("a guest's files", () => {
  it("have for its server the users of the generation before, the current one and the next", () => {
    const content = filesOf({ generation: 3 }).users.content;
    expect([1, 2, 3, 4, 5].filter((each) => accepted(content, each))).toEqual([2, 3, 4]);
    expect(content.trim().split("\n")).toHaveLength(3);
  });

  it("have for its server nothing that is revoked, and none of before the first", () => {
    const revoked = filesOf({ generation: 4, revoked: 3 }).users.content;
    expect([1, 2, 3, 4, 5].filter((each) => accepted(revoked, each))).toEqual([4, 5]);
    expect(filesOf({}).users.content).not.toContain("laptop-g0");
  });

  it("are sealed to the guest and the operators, and to nobody else, by age also in a bundle of sops", () => {
    for (const format of ["age", "sops"]) {
      const { seal, environment, users } = filesOf({}, format);
      expect(formatOf(seal, environment)).toBe("age");
      expect(sealedPath(seal, environment)).toBe("guests/laptop.env.age");
      expect(recipientsOf(seal, environment)).toEqual([AGE_KEY, SSH_KEY]);
      expect(sealedPath(seal, users)).toBe(`guests/laptop.htpasswd.${format}`);
    }
  });

  it("have the credential in the one that is sealed, and nothing secret in the manifest", () => {
    const { environment, ...args } = filesOf({ generation: 2 });
    const password = derivePassword(SEED, { at: "guest", guest: "laptop" }, 2);
    expect(environment.content).toContain(`RESTIC_REST_PASSWORD=${password}\n`);
    expect(guestManifests(args)).toEqual({
      laptop: {
        maxSizeGiB: 100,
        repository: "rest:https://friends.example/hub/laptop/",
        environment: "guests/laptop.env.age",
      },
    });
    expect(guestManifests({ ...args, guests: {} })).toBeUndefined();
  });

  it("have a password that no host of the name has anywhere", () => {
    const owners = [
      { at: "guest", guest: "laptop" },
      { at: "hub", host: "laptop" },
      { at: "target", target: "guest", host: "laptop" },
      { at: "target", target: "", host: "laptop" },
    ] as const;
    expect(new Set(owners.map((owner) => derivePassword(SEED, owner, 1))).size).toBe(4);
  });
});
