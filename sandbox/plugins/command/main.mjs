// Runs main.ts out of a bundle that is always as new as the sources.
import { load } from "../../../tools/bundled.mjs";

await load("command-plugin", "sandbox/plugins/command/main.ts");
