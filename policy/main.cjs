// The policy pack's start: runs index.ts through tsx, as Pulumi does the program. Pulumi's own way
// to TypeScript does not know a program that imports `.ts` files.
module.exports = async () => {
  const { register } = await import("tsx/esm/api");
  register();
  await import("./index.ts");
};
