import { describe, expect, it } from "vitest";
import { judge } from "../../../peer/sftp/look.ts";
import { sftpPlace, sftpUser } from "../../../peer/sftp/place.ts";
import { sftpScript, sshdSettings } from "../../../peer/sftp/script.ts";
import { SEED, SSH_KEY } from "../../config/valid.ts";

const host = { key: "", sizeGiB: 1, growthGiBPerMonth: 0, generation: 1, revoked: 0 };
const place = sftpPlace({
  ...{ stack: "prod", name: "nas", seed: SEED, hosts: { q: host, ursula: host } },
  target: {
    ...{ type: "sftp", dataDir: "/srv/fort", maxSizeGiB: 10 },
    ...{ protect: true, generation: 1, revoked: 0 },
    ssh: { host: "peer", port: 22, user: "root", hostKey: SSH_KEY },
  },
});

describe("the users of a peer", () => {
  it("have names that Linux takes, each its own, whatever the hosts are called", () => {
    const long = "a-host-with-a-name-as-long-as-they-may-be";
    const hosts = [
      "q",
      "hub",
      "hosts",
      "a".repeat(22),
      "a".repeat(23),
      long,
      `${long.slice(0, -1)}f`,
    ];
    const users = [
      sftpUser("p"),
      ...hosts.map((name) => sftpUser("p", name)),
      sftpUser("other", "q"),
    ];
    expect(new Set(users).size).toBe(users.length);
    for (const user of users) expect(user).toMatch(/^fo-[0-9a-f]{6}[a-z0-9_-]{2,23}$/);
  });
});

describe("sshd's settings", () => {
  it("shut every user of ours into SFTP below a folder of its own, and change nobody else's", () => {
    const text = sshdSettings(place);
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(lines[0]).toMatch(/^Match User fo-/);
    expect(lines.filter((line) => line.startsWith("Match "))).toHaveLength(4);
    expect(text).toContain(
      "ChrootDirectory /srv/fort/repositories/q\n    ForceCommand internal-sftp -R\n",
    );
    expect(text).not.toMatch(/Match (all|User \*)/i);
  });

  it("are sent without a secret", () => {
    expect(sftpScript(place)).not.toContain("PRIVATE KEY");
    expect(sftpScript(place)).not.toContain(SEED);
  });
});

describe("a look", () => {
  const at = (minutes: number) => 1_800_000_000 - minutes * 60;
  const seen = (...lines: readonly string[]) =>
    judge([...lines, "free 1", "now 1800000000", "looked"].join("\n"), place);

  it("is content with what is sealed, and with a sealing that had nothing to do", () => {
    const fine = seen(`sealed ${at(2)} 0 0`, `host q 3 ${at(60)} 4`);
    expect([fine.drift, fine.manual, fine.notices]).toEqual([[], [], []]);
    expect(fine.facts.hosts).toMatchObject([{ name: "q", snapshots: 3, unsealed: 4 }]);
    expect(seen(`sealed ${at(600)} 0 0`, "host q 3 1 0").manual).toEqual([]);
  });

  it("says when the sealing no longer comes, cannot, or found what was forged", () => {
    expect(seen(`sealed ${at(40)} 0 0`, "host q 3 1 2").manual.join()).toContain(
      "has not run for 40 minutes, and 2 files could be destroyed",
    );
    expect(seen(`sealed ${at(1)} 1 0`).manual.join()).toContain("1 file could not be sealed");
    expect(seen(`sealed ${at(1)} 0 2`).manual.join()).toContain("/srv/fort/damaged");
    expect(seen("host q 0 0 0").notices.join()).toContain("not sealed yet");
  });

  it("has a disk that is not mounted mounted by a person, and nothing put in its place", () => {
    const { drift, manual, notices } = seen("unmounted /srv");
    expect([drift, notices]).toEqual([[], []]);
    expect(manual).toEqual([expect.stringContaining("Mount it there: mount /srv")]);
  });

  it("lets nothing that a peer says steer a terminal or invent numbers", () => {
    const odd = seen("changed \u001b[2Jthe key", "sealed x y z", "used -1", "host \u0007 1e9 9 9");
    expect(JSON.stringify(odd)).not.toContain("\\u001b");
    expect(odd.facts.used).toBeUndefined();
    expect(odd.facts.sealed).toBeUndefined();
    expect(seen("absent").drift).toEqual(["there is no SFTP directory of ours in /srv/fort"]);
  });
});
