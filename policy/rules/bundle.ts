import { error, type StackRule } from "../model.ts";
import { LOCAL_COMMAND } from "../types.ts";
import { isObject } from "../values.ts";

/** How a file of the bundle is sealed is in the environment of the command that writes it. */
export const bundleSealed: StackRule = {
  name: "bundle-sealed",
  description: "What the bundle's files hold is encrypted for the machines that read it",
  of: "stack",
  judge: (resources) => {
    const plain = resources.filter(({ type, inputs }) => {
      const { environment } = inputs;
      return type === LOCAL_COMMAND && isObject(environment) && environment.FORMAT === "plain";
    });
    const [first] = plain;
    if (first === undefined) return [];
    const names = plain.map(({ name }) => name);
    const shown = names.slice(0, 3).join(", ") + (names.length > 3 ? ", …" : "");
    const message = `${shown}: seal.format is "plain", so that every credential is in a readable file, and in its directory's history. Set it to "age" or "sops"; "plain" is for experiments`;
    return [error(first, "the bundle", message)];
  },
};
