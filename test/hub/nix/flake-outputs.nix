# What the flake exports, and what its package asks of nixpkgs.
let
  lib = import ./stub/lib.nix;
  outputs = (import ../../../flake.nix).outputs {
    self = { };
    nixpkgs = {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (_: pkgs);
    };
  };
  pkgs = {
    inherit lib;
    buildNpmPackage = arguments: arguments;
    importNpmLock = {
      __functor = _: arguments: arguments;
      npmConfigHook = "hook";
    };
    makeWrapper = "makeWrapper";
    nodejs = {
      outPath = "/nodejs";
      meta.mainProgram = "node";
    };
    callPackage =
      file: _:
      let
        f = import file;
      in
      f (builtins.intersectAttrs (builtins.functionArgs f) pkgs);
  };
  package = outputs.packages.x86_64-linux.default;
in
{
  modules = builtins.mapAttrs (_: toString) (removeAttrs outputs.nixosModules [ "default" ]);
  default = map toString outputs.nixosModules.default.imports;
  systems = builtins.attrNames outputs.packages;
  overlay = (outputs.overlays.default pkgs { }).offsite-hub.pname;
  inherit (package) pname version;
  main = package.meta.mainProgram;
  sources = package.src.paths;
  packages = builtins.attrValues (
    builtins.mapAttrs (place: entry: {
      inherit place;
      resolved = entry.resolved or "";
      integrity = entry.integrity or "";
      link = entry.link or false;
    }) package.npmDeps.packageLock.packages
  );
}
