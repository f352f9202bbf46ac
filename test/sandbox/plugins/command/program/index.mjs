// Makes the commands that the test describes in PROGRAM, as JSON.
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

const program = JSON.parse(process.env.PROGRAM ?? "{}");
const secret = (args) => ({
  ...args,
  ...(args.stdin === undefined ? {} : { stdin: pulumi.secret(args.stdin) }),
});
const outputs = {};
for (const [name, args] of Object.entries(program.local ?? {})) {
  outputs[name] = new command.local.Command(name, secret(args)).stdout;
}
for (const [name, args] of Object.entries(program.remote ?? {})) {
  outputs[name] = new command.remote.Command(name, secret(args)).stdout;
}
export const stdout = outputs;
