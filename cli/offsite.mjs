#!/usr/bin/env node
// `offsite`, the operator's commands: runs cli/main.ts through tsx, as Pulumi does the program.
import { register } from "tsx/esm/api";

register();
await import("./main.ts");
