/** The one comment at a pull request, at a forge of our own over real HTTP. */
import { afterEach, describe, expect, it } from "vitest";
import { forgeFrom } from "../../../cli/report/forge.ts";
import { marker } from "../../../cli/report/markdown.ts";
import { postComment } from "../../../cli/report/post.ts";
import { ForgeServer, type ForgeOptions } from "./forge-server.ts";

const MARK = marker("prod");
let server: ForgeServer;

async function start(options: ForgeOptions = {}): Promise<ForgeServer> {
  server = new ForgeServer(options);
  await server.start();
  return server;
}

const post = (body: string) =>
  postComment(forgeFrom(server.env, 7), MARK, `${MARK}\n${body}`, { pause: 1 });

afterEach(async () => {
  await server.stop();
});

describe.each(["github", "forgejo"] as const)("at %s", (kind) => {
  it("a comment is made once and updated ever after, wherever in a long talk it stands", async () => {
    await start({ kind });
    for (let at = 0; at < 5; at += 1) server.add("alice", `talk ${at}`);
    expect((await post("first")).did).toBe("created");
    for (let at = 0; at < 5; at += 1) server.add("bob", `more talk ${at}`);
    expect((await post("second")).did).toBe("updated");
    expect((await post("second")).did).toBe("kept");
    const ours = server.comments.filter(({ body }) => body.startsWith(MARK));
    expect(ours.map(({ body }) => body)).toEqual([`${MARK}\nsecond`]);
    expect(server.comments).toHaveLength(11);
  });
});

describe("a comment with our mark", () => {
  it("of somebody else is never taken for ours: its author could change it afterwards", async () => {
    await start();
    server.add("mallory", `${MARK}\nall is well`);
    server.add("alice", `quoting ${MARK}`);
    await post("DANGER");
    expect(server.comments.map(({ user, body }) => [user.login, body])).toEqual([
      ["mallory", `${MARK}\nall is well`],
      ["alice", `quoting ${MARK}`],
      ["github-actions[bot]", `${MARK}\nDANGER`],
    ]);
  });

  it("of another stack stays as it is", async () => {
    await start({ kind: "forgejo", login: "ci" });
    server.add("ci", `${marker("prod2")}\nother`);
    await post("mine");
    expect(server.comments).toHaveLength(2);
    expect(server.comments[0]?.body).toContain("other");
  });

  it("that was made twice is one again", async () => {
    await start();
    server.add("github-actions[bot]", `${MARK}\nold`);
    server.add("github-actions[bot]", `${MARK}\nolder`);
    await post("new");
    expect(server.comments.map(({ body }) => body)).toEqual([`${MARK}\nnew`]);
  });
});

describe("a forge that fails", () => {
  it("is asked again, and a comment whose answer was lost is not made twice", async () => {
    await start();
    server.faults.push({ status: 502 });
    server.faults.push({ status: 403, headers: { "retry-after": "0" } });
    await post("one");
    expect(server.comments).toHaveLength(1);
    server.comments.length = 0;
    server.faults.push({ method: "POST", status: 504, after: true });
    await post("two");
    expect(server.comments.map(({ body }) => body)).toEqual([`${MARK}\ntwo`]);
  });

  it("ends with what it answered, and never with the token", async () => {
    await start();
    const forge = { ...forgeFrom(server.env, 7), token: "stolen-and-wrong-token" };
    const failure = await postComment(forge, MARK, "x", { pause: 1 }).catch(String);
    expect(failure).toContain("the forge answered 401: Bad credentials. May the token comment?");
    expect(failure).not.toContain("stolen");
  });

  it("cannot send the token elsewhere", async () => {
    await start();
    const other = new ForgeServer();
    await other.start();
    server.faults.push({ status: 307, headers: { location: `${other.api}/user` } });
    await expect(post("with a redirect")).resolves.toMatchObject({ did: "created" });
    server.link = `<${other.api}/repos/family/offsite/issues/7/comments?page=2>; rel="next"`;
    await post("with a next page");
    expect(server.comments).toHaveLength(1);
    expect(other.requests).toEqual([]);
    await other.stop();
  });
});

describe("what the environment says", () => {
  it("is all that is missing at once", async () => {
    await start();
    expect(() => forgeFrom({ GITHUB_API_URL: "nonsense" })).toThrow(
      /GITHUB_API_URL is wrong.*GITHUB_REPOSITORY is not set.*GITHUB_TOKEN is not set.*--pull-request/,
    );
  });
});
