# The agent's settings.json from the options.
{ lib, pkgs }:
cfg:
pkgs.writeText "offsite-hub-settings.json" (
  builtins.toJSON (
    lib.recursiveUpdate {
      version = 1;
      retention = { inherit (cfg.prune) daily weekly monthly; };
      inherit (cfg)
        graceDays
        overdueHours
        passwordFiles
        triggers
        ;
      drill = { inherit (cfg.drill) scratch checks; };
    } cfg.settings
  )
)
