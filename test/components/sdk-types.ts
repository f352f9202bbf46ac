/** Inputs of resources, held against the types of the SDK that is generated from the plugin's schema. */
import { join } from "node:path";
import ts from "typescript";
import { PROJECT } from "../../sandbox/world.ts";

/**
 * Type-checks inputs as literals, so that a lacking one, one of another type and one that the SDK
 * does not know are errors.
 *
 * @param cases - by the name of the resource's class in the SDK.
 * @returns what the compiler says, one line each.
 */
export function typeErrors(sdk: string, cases: readonly (readonly [string, unknown])[]): string[] {
  const file = join(PROJECT, "sdk-inputs.ts");
  const source = [
    `import type * as sdk from "${sdk}";`,
    ...cases.map(
      ([name, inputs], index) =>
        `export const case${index}: sdk.${name}Args = ${JSON.stringify(inputs)};`,
    ),
  ].join("\n");
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, types: [] },
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const real = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...real,
    fileExists: (path) => path === file || real.fileExists(path),
    readFile: (path) => (path === file ? source : real.readFile(path)),
    getSourceFile: (path, language, ...rest) =>
      path === file
        ? ts.createSourceFile(path, source, language)
        : real.getSourceFile(path, language, ...rest),
  };
  const program = ts.createProgram([file], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
}
