{
  description = "Two offsite homes for a home cluster's restic backups: what its hub and its hosts run";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forEach = nixpkgs.lib.genAttrs systems;
    in
    {
      nixosModules = {
        backup-hub = ./hub/nix/backup-hub.nix;
        backup-client = ./hub/nix/backup-client.nix;
        # Both; each does nothing until it is enabled.
        default.imports = [
          ./hub/nix/backup-hub.nix
          ./hub/nix/backup-client.nix
        ];
      };

      overlays.default = final: _: { offsite-hub = final.callPackage ./hub/nix/package.nix { }; };

      packages = forEach (system: rec {
        offsite-hub = nixpkgs.legacyPackages.${system}.callPackage ./hub/nix/package.nix { };
        default = offsite-hub;
      });
    };
}
