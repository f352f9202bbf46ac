# What the hub and the hosts have in common: the bundle, how its files are opened, whom to tell.
{ config, lib, ... }:
let
  cfg = config.services.offsite;
  inherit (lib) mkOption types;
in
{
  options.services.offsite = {
    bundle = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = lib.literalExpression "./secrets/offsite";
      description = "The bundle's directory: what `seal.directory` names in the stack's config.";
    };

    manifest = mkOption {
      type = types.nullOr types.path;
      default = if cfg.bundle == null then null else cfg.bundle + "/offsite.json";
      defaultText = lib.literalExpression ''bundle + "/offsite.json"'';
      description = "The bundle's manifest. Not read where {option}`services.offsite.facts` is given.";
    };

    facts = mkOption {
      type = types.nullOr (
        types.submodule {
          options = {
            hub = {
              host = mkOption {
                type = types.str;
                description = "The hub's host name.";
              };
              url = mkOption {
                type = types.str;
                default = "";
                description = "Where hosts reach the hub's rest-server. Only the virtual host of nginx needs it.";
              };
              repositories = mkOption {
                type = types.str;
                default = "/var/lib/restic-repos";
                description = "The hub's directory of repositories.";
              };
              guestRepositories = mkOption {
                type = types.str;
                default = "/var/lib/restic-guests";
                description = "The hub's directory of the guests' repositories.";
              };
            };
            hosts = mkOption {
              type = types.listOf types.str;
              description = "The names of the hosts that are backed up.";
            };
            targets = mkOption {
              type = types.attrsOf (
                types.enum [
                  "b2"
                  "r2"
                  "s3"
                  "rest-server"
                  "sftp"
                ]
              );
              description = "The type of each offsite target, by its name.";
            };
            guests = mkOption {
              type = types.attrsOf types.numbers.positive;
              default = { };
              description = "What each guest may keep at the hub, in GiB, by its name.";
            };
          };
        }
      );
      default = null;
      description = ''
        For a sealed manifest (`seal.manifest` in the stack's config): what has to be known while the
        system is built. The rest is read from the opened manifest at run time.
      '';
    };

    secrets = mkOption {
      type = types.enum [
        "agenix"
        "sops"
        "none"
      ];
      example = "agenix";
      description = ''
        What opens the bundle's files on the machine: `agenix` or `sops` (sops-nix) declare a secret
        for each. With `none` they are declared elsewhere, and the options that name them have to be set.
      '';
    };

    onFailure = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "notify-failure@%n.service" ];
      description = "Units to start when one of the backup's units has failed.";
    };

    metricsDirectory = mkOption {
      type = types.nullOr types.path;
      default = "/var/lib/offsite-metrics";
      description = ''
        Where metrics are written for the node exporter's textfile collector; the directory is made.
        Null writes none.
      '';
    };

    nodeExporter = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether the node exporter of this machine, where there is one, is told to read
        {option}`services.offsite.metricsDirectory`.
      '';
    };
  };

  config = lib.mkIf (cfg.hub.enable or false || cfg.client.enable or false) {
    # The hub's agent writes as user restic, a host's backup as root: the directory is for both.
    systemd.tmpfiles.rules = lib.mkIf (cfg.metricsDirectory != null) [
      "d ${cfg.metricsDirectory} 0775 root ${if cfg.hub.enable or false then "restic" else "root"} -"
    ];

    services.prometheus.exporters.node =
      lib.mkIf (cfg.nodeExporter && cfg.metricsDirectory != null)
        {
          enabledCollectors = [ "textfile" ];
          extraFlags = [ "--collector.textfile.directory=${cfg.metricsDirectory}" ];
        };
  };
}
