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
        overdueDays
        notify
        passwordFiles
        triggers
        ;
      page = { inherit (cfg.page) distrustHours; };
      guests = { inherit (cfg.guests) quietDays fullPercent; };
      prune = { inherit (cfg.prune) keepHours maxBackupHours; };
      drill = {
        inherit (cfg.drill) scratch checks ignore;
        sqlite3 = "${pkgs.sqlite}/bin/sqlite3";
        postgresql = "${cfg.drill.postgresql}/bin";
        zstd = "${pkgs.zstd}/bin/zstd";
      };
    } cfg.settings
  )
)
