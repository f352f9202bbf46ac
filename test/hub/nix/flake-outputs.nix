# What the flake exports.
let
  inherit ((import ../../../flake.nix).outputs { self = { }; }) nixosModules;
in
{
  modules = builtins.mapAttrs (_: toString) (removeAttrs nixosModules [ "default" ]);
  default = map toString nixosModules.default.imports;
}
