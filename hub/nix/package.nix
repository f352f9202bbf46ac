# The agent: one file that needs Node.js alone.
{
  lib,
  buildNpmPackage,
  importNpmLock,
  makeWrapper,
  nodejs,
}:
let
  root = ../..;
  given = lib.importJSON (root + "/package.json");
  lock = lib.importJSON (root + "/package-lock.json");

  # Of what is linked from this repository the agent needs nothing.
  linked = [ "@pulumi/b2" ];
  unlinked = package: package // { dependencies = removeAttrs package.dependencies linked; };
  package = unlinked given;
  needed =
    removeAttrs lock.packages [
      "node_modules/@pulumi/b2"
      "sdks/b2"
    ]
    // {
      "" = unlinked lock.packages."";
    };

  # The lock file names no place to download from, so that everybody may use a registry of their own;
  # importNpmLock wants one. Its integrity hashes hold wherever a package comes from.
  registry = "https://registry.npmjs.org";
  nameOf = place: entry: entry.name or (lib.last (lib.splitString "node_modules/" place));
  resolve =
    place: entry:
    let
      name = nameOf place entry;
    in
    if entry ? resolved || !(entry ? integrity) then
      entry
    else
      entry // { resolved = "${registry}/${name}/-/${baseNameOf name}-${entry.version}.tgz"; };
in
buildNpmPackage {
  pname = "offsite-hub";
  inherit (package) version;

  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      (root + "/package.json")
      (root + "/package-lock.json")
      (root + "/tsconfig.json")
      (root + "/config")
      (root + "/credentials")
      (root + "/hub")
      (root + "/sdks")
      (root + "/tools")
    ];
  };

  npmDeps = importNpmLock {
    npmRoot = root;
    inherit package;
    packageLock = lock // {
      packages = lib.mapAttrs resolve needed;
    };
  };
  inherit (importNpmLock) npmConfigHook;
  # What is built is the agent alone, by the script that `npm run build` runs for it.
  npmFlags = [ "--ignore-scripts" ];
  npmRebuildFlags = [ "--ignore-scripts" ];

  nativeBuildInputs = [ makeWrapper ];

  buildPhase = ''
    runHook preBuild
    node --import tsx --eval 'import("./tools/build.ts").then(({ buildAgent }) => buildAgent())'
    runHook postBuild
  '';

  installPhase = ''
    runHook preInstall
    install -D -m 0644 dist/offsite-hub.mjs $out/lib/offsite-hub.mjs
    makeWrapper ${lib.getExe nodejs} $out/bin/offsite-hub --add-flags $out/lib/offsite-hub.mjs
    runHook postInstall
  '';

  doInstallCheck = true;
  installCheckPhase = "$out/bin/offsite-hub --help >/dev/null";

  meta = {
    description = "Copies a hub's restic repositories to their offsite targets, verifies and prunes them";
    license = lib.licenses.mit;
    mainProgram = "offsite-hub";
  };
}
