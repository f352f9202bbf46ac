{
  description = "Two offsite homes for a home cluster's restic backups: what its hub and its hosts run";

  outputs = _: {
    nixosModules = {
      backup-hub = ./hub/nix/backup-hub.nix;
      backup-client = ./hub/nix/backup-client.nix;
      monitoring = ./hub/nix/monitoring.nix;
      # All; each does nothing until it is enabled.
      default.imports = [
        ./hub/nix/backup-hub.nix
        ./hub/nix/backup-client.nix
        ./hub/nix/monitoring.nix
      ];
    };
  };
}
