/** The files that tell agenix and sops who may read which file of the bundle. */
import { stringify } from "yaml";

/** A sealed file's path, relative to the bundle, and the public keys that it is encrypted to. */
export interface SealedFor {
  readonly path: string;
  readonly recipients: readonly string[];
}

const GENERATED = "Written by fort-offsite. Do not edit: the next `pulumi up` writes it again.";

/** agenix's rules, `secrets.nix`. */
export function agenixRules(files: readonly SealedFor[]): string {
  // JSON's strings are Nix's, as long as nothing looks like an interpolation.
  const nixString = (text: string) => JSON.stringify(text).replaceAll("${", "\\${");
  const rules = files.map(({ path, recipients }) => {
    const keys = recipients.map((key) => `    ${nixString(key)}\n`).join("");
    return `  ${nixString(path)}.publicKeys = [\n${keys}  ];\n`;
  });
  return `# ${GENERATED}\n{\n${rules.join("")}}\n`;
}

/** sops's creation rules, `.sops.yaml`: one exact path a file. */
export function sopsRules(files: readonly SealedFor[]): string {
  const rules = files.map(({ path, recipients }) => ({
    path_regex: `^${path.replaceAll(/[.\\+*?()|[\]{}^$]/g, "\\$&")}$`,
    age: recipients.join(","),
  }));
  return `# ${GENERATED}\n${stringify({ creation_rules: rules }, { lineWidth: 0 })}`;
}
