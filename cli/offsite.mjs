#!/usr/bin/env node
// `offsite`, the operator's commands: runs cli/main.ts through tsx, as Pulumi does the program. In a
// fresh clone or under an old Node.js it says what to do first, so this file loads nothing before.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const [major, minor] = process.versions.node.split(".").map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  fail(
    `offsite needs Node.js 20.19 or newer, this is ${process.versions.node}. Get one from nodejs.org`,
  );
} else if (!existsSync(`${root}/node_modules/tsx`)) {
  fail(`offsite needs its npm packages. Install them first: cd ${root} && npm ci`);
} else {
  const { register } = await import("tsx/esm/api");
  register();
  await import("./main.ts");
}

function fail(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exitCode = 1;
}
