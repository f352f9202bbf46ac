# The machine that runs Prometheus, be it the hub or another: the alerts on the backups' metrics.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.offsite.monitoring;
  inherit (lib) mkOption types;
  rules = ../monitoring/rules.yml;
in
{
  options.services.offsite.monitoring = {
    enable = lib.mkEnableOption "the alerts on the backups' metrics, in this machine's Prometheus";

    runbooks = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://git.example.org/fort-offsite/src/branch/main/";
      description = ''
        What the alerts' links to docs/alerts.md begin with: where this repository can be read. Null
        leaves them as paths in it.
      '';
    };

    rules = mkOption {
      type = types.path;
      readOnly = true;
      default =
        if cfg.runbooks == null then
          rules
        else
          pkgs.writeText "offsite-rules.yml" (
            builtins.replaceStrings [ "runbook_url: " ] [ "runbook_url: ${cfg.runbooks}" ] (
              builtins.readFile rules
            )
          );
      defaultText = lib.literalExpression "hub/monitoring/rules.yml";
      description = "The file of the alerts, for a Prometheus that is not configured by NixOS.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.prometheus.ruleFiles = [ cfg.rules ];
  };
}
