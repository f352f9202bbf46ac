/**
 * The plainest way to send files that Node.js has: each is read whole and posted as it is, eight at
 * a time on connections that are kept. No order, no hash, no credential but the first, no second
 * try, no listing. `node plain-upload.mjs FOLDER URL`, with the user and password in USER_PASSWORD.
 */
import { Buffer } from "node:buffer";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import path from "node:path";

const AT_A_TIME = 8;

const [folder = "", base = ""] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: AT_A_TIME });
const authorization = `Basic ${Buffer.from(process.env.USER_PASSWORD ?? "").toString("base64")}`;

function post(url, body) {
  return new Promise((resolve, reject) => {
    const headers = { authorization, "content-length": body.length };
    request(url, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${url}: ${response.statusCode}`));
      });
    })
      .on("error", reject)
      .end(body);
  });
}

await post(`${base}?create=true`, Buffer.alloc(0));
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => {
    const file = path.join(entry.parentPath, entry.name);
    const [kind = ""] = path.relative(folder, file).split(path.sep);
    return { file, url: kind === "config" ? `${base}config` : `${base}${kind}/${entry.name}` };
  })
  .values();
await Promise.all(
  Array.from({ length: AT_A_TIME }, async () => {
    for (const { file, url } of files) await post(url, await readFile(file));
  }),
);
agent.destroy();
