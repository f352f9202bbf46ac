import { execaSync } from "execa";
import { describe, expect, it } from "vitest";
import { doorCommand, doorScript, parseLook } from "../../../peer/door.ts";
import { name } from "./model.ts";

const connection = { host: "peer.example", hostKey: "ssh-ed25519 AAAA" };

describe("parseLook", () => {
  it("reads when snapshots and locks were written, whatever else lies there", () => {
    const [one, two] = [name("one"), name("two")];
    const look = parseLook(
      [
        "swept 0123abcd",
        "now 1781524800",
        `snapshots q 1781500000 /srv/x/repositories/q/snapshots/${one}`,
        `snapshots q 1781500001 /srv/x/repositories/q/snapshots/${one}.rest-server-temp`,
        `locks q 1781500002 /srv/x/repositories/q/locks/${two}`,
        "looked",
        "",
      ].join("\n"),
    );
    expect(look).toEqual({
      ...{ busy: false, swept: 1, now: 1_781_524_800_000 },
      snapshots: new Map([["q", new Map([[one, 1_781_500_000_000]])]]),
      locks: new Map([["q", [1_781_500_002_000]]]),
    });
  });

  it("takes an answer that is cut short for none", () => {
    expect(parseLook("now 1781524800\nbusy\n")).toBeUndefined();
  });
});

describe("doorCommand", () => {
  it("runs what comes as the first line, and leaves the rest of standard input alone", () => {
    const script = Buffer.from('read -r line\nprintf "<%s>" "$line"\n').toString("base64");
    const { stdout } = execaSync("sh", ["-c", doorCommand(connection)], {
      input: `${script}\nthe next line\nand another\n`,
    });
    expect(stdout).toBe("<the next line>");
    expect(doorCommand({ ...connection, user: "brother" })).toMatch(/^sudo -n sh -c /);
  });
});

describe("doorScript", () => {
  it("is a script that a POSIX shell takes, with its values quoted", () => {
    const dataDir = "/srv/it's $(here)";
    const task = { mode: "look", hosts: ["q", "ursula"] } as const;
    const line = doorScript({ connection, project: "p", dataDir }, task);
    expect(line.indexOf("\n")).toBe(line.length - 1);
    const script = Buffer.from(line, "base64").toString("utf8");
    expect(execaSync("sh", ["-n"], { input: script }).exitCode).toBe(0);
    const head = script.slice(0, script.indexOf("\n# "));
    const { stdout } = execaSync("sh", [], { input: `${head}\nprintf "%s" "$data_dir$hosts"` });
    expect(stdout).toBe(`${dataDir}q ursula`);
  });
});
