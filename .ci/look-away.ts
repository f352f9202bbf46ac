/**
 * `node tools/bootstrap.mjs .ci/look-away.ts STACK`: turns the look at peers and bundle off in this copy
 * of the stack's settings, where neither is within reach.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseDocument } from "yaml";

const file = `Pulumi.${process.argv[2] ?? ""}.yaml`;
// Without the file the report says what is missing.
if (existsSync(file)) {
  const document = parseDocument(readFileSync(file, "utf8"));
  if (document.errors.length === 0) {
    document.setIn(["config", "fort-offsite:lookForDrift"], false);
    writeFileSync(file, document.toString({ lineWidth: 0 }));
  }
}
