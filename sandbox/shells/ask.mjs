// Asks the sandbox to do what a machine's stand-in cannot do alone: node ask.mjs <deed> <machine>.
import { request } from "node:http";

const [deed, machine] = process.argv.slice(2);
const asked = request(
  { socketPath: process.env.SANDBOX_SOCKET, method: "POST", path: `/${deed}/${machine}` },
  (answer) => {
    answer.setEncoding("utf8").on("data", (text) => process.stderr.write(text));
    answer.on("end", () => (process.exitCode = answer.statusCode === 200 ? 0 : 1));
  },
);
asked.on("error", ({ message }) => {
  process.stderr.write(`error: the sandbox does not answer: ${message}\n`);
  process.exitCode = 1;
});
asked.end();
