# NixOS's own options, as far as the modules and the tests set or read them, and the units that its
# modules for restic and rest-server make of them. From the documentation of NixOS 25.05.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  strings = option (types.listOf types.str) [ ];
  settings = option (types.attrsOf types.unitOption) { };
  maybe = type: option (types.nullOr type) null;
  units = option (types.listOf (
    types.strMatching "[a-zA-Z0-9@%:_.\\-]+[.](service|socket|mount|target|path|timer)"
  )) [ ];
  unit = {
    description = option types.str "";
    after = units;
    wants = units;
    requires = units;
    wantedBy = units;
    onFailure = units;
    unitConfig = settings;
  };
  service = unit // {
    environment = option (types.attrsOf (
      types.nullOr (
        types.oneOf [
          types.str
          types.path
          types.package
        ]
      )
    )) { };
    path = option (types.listOf types.package) [ ];
    preStart = option types.lines "";
    postStart = option types.lines "";
    postStop = option types.lines "";
    restartTriggers = option (types.listOf types.anything) [ ];
    restartIfChanged = option types.bool true;
    serviceConfig = settings;
  };
  of = options: types.submodule { inherit options; };

  backup = {
    repository = maybe types.str;
    repositoryFile = maybe types.path;
    environmentFile = maybe types.str;
    passwordFile = option types.str "";
    paths = maybe (types.listOf types.str);
    exclude = strings;
    extraBackupArgs = strings;
    initialize = option types.bool false;
    pruneOpts = strings;
    user = option types.str "root";
    backupPrepareCommand = maybe types.str;
    backupCleanupCommand = maybe types.str;
    createWrapper = option types.bool true;
    package = option types.package pkgs.restic;
    timerConfig = maybe (types.attrsOf types.unitOption);
  };

  server = config.services.restic.server;

  resticUnit =
    name: backup:
    let
      includes = "/run/restic-backups-${name}/includes";
      program = lib.getExe backup.package;
      excludes = pkgs.writeText "exclude-patterns" (lib.concatStringsSep "\n" backup.exclude);
      script = name: text: lib.optionalString (text != null) "${pkgs.writeScript name text}\n";
      arguments =
        backup.extraBackupArgs
        ++ lib.optional (backup.exclude != [ ]) "--exclude-file=${excludes}"
        ++ [ "--files-from=${includes}" ];
    in
    {
      environment = {
        RESTIC_CACHE_DIR = "/var/cache/restic-backups-${name}";
        RESTIC_PASSWORD_FILE = backup.passwordFile;
        RESTIC_REPOSITORY = backup.repository;
        RESTIC_REPOSITORY_FILE = backup.repositoryFile;
      };
      restartIfChanged = false;
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      preStart =
        script "backupPrepareCommand" backup.backupPrepareCommand
        + "cat ${pkgs.writeText "staticPaths" (lib.concatLines backup.paths)} >> ${includes}\n";
      postStop = script "backupCleanupCommand" backup.backupCleanupCommand + "rm -f ${includes}\n";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = [ "${program} backup ${lib.concatStringsSep " " arguments}" ];
        User = backup.user;
        RuntimeDirectory = "restic-backups-${name}";
        CacheDirectory = "restic-backups-${name}";
        CacheDirectoryMode = "0700";
        PrivateTmp = true;
      }
      // lib.optionalAttrs (backup.environmentFile != null) { EnvironmentFile = backup.environmentFile; };
    };
in
{
  options = {
    assertions = option (types.listOf types.anything) [ ];
    warnings = strings;
    environment.systemPackages = option (types.listOf types.package) [ ];
    networking.hostName = option types.str "nixos";
    networking.firewall.interfaces = option (types.attrsOf (of {
      allowedTCPPorts = option (types.listOf types.port) [ ];
    })) { };
    networking.nftables.enable = option types.bool false;
    networking.nftables.tables = option (types.attrsOf (of {
      family = option types.str "";
      content = option types.lines "";
    })) { };
    networking.wg-quick.interfaces = option (types.attrsOf (of { configFile = maybe types.str; })) { };
    services.nginx.enable = option types.bool false;
    services.nginx.virtualHosts = option (types.attrsOf (of {
      forceSSL = option types.bool false;
      locations = option (types.attrsOf (of {
        proxyPass = maybe types.str;
        extraConfig = option types.lines "";
      })) { };
    })) { };
    services.postgresql.enable = option types.bool false;
    services.postgresql.package = option types.package pkgs.postgresql;
    services.postgresql.settings.port = option types.port 5432;
    services.prometheus.ruleFiles = option (types.listOf types.path) [ ];
    services.prometheus.exporters.node = {
      enable = option types.bool false;
      enabledCollectors = strings;
      extraFlags = strings;
    };
    services.restic.backups = option (types.attrsOf (of backup)) { };
    services.restic.server = {
      enable = option types.bool false;
      appendOnly = option types.bool false;
      dataDir = option types.path "/var/lib/restic";
      extraFlags = strings;
      htpasswd-file = maybe types.path;
      listenAddress = option types.str "8000";
      package = option types.package pkgs.restic-rest-server;
      privateRepos = option types.bool false;
      prometheus = option types.bool false;
    };
    systemd.services = option (types.attrsOf (of service)) { };
    systemd.sockets = option (types.attrsOf (of (unit // {
      listenStreams = strings;
      socketConfig = settings;
    }))) { };
    systemd.timers = option (types.attrsOf (of (unit // { timerConfig = settings; }))) { };
    systemd.tmpfiles.rules = strings;
    users.users = option (types.attrsOf (of {
      isSystemUser = option types.bool false;
      group = option types.str "";
      extraGroups = strings;
    })) { };
    users.groups = option (types.attrsOf (of { })) { };
  };

  config = {
    assertions = [
      {
        assertion = lib.hasPrefix ":" server.listenAddress == false;
        message = "services.restic.server.listenAddress must not begin with a colon";
      }
    ];
    systemd.services = lib.mkMerge [
      (lib.mapAttrs' (name: backup: lib.nameValuePair "restic-backups-${name}" (resticUnit name backup)) config.services.restic.backups)
      (lib.mkIf server.enable {
        restic-rest-server = {
          after = [
            "network.target"
            "restic-rest-server.socket"
          ];
          requires = [ "restic-rest-server.socket" ];
          wantedBy = [ "multi-user.target" ];
          serviceConfig = {
            Type = "simple";
            User = "restic";
            Group = "restic";
            UMask = "027";
            ExecStart = lib.concatStringsSep " " (
              [ "${server.package}/bin/rest-server --path ${server.dataDir}" ]
              ++ lib.optional (server.htpasswd-file != null) "--htpasswd-file ${server.htpasswd-file}"
              ++ lib.optional server.appendOnly "--append-only"
              ++ lib.optional server.privateRepos "--private-repos"
              ++ lib.optional server.prometheus "--prometheus"
              ++ server.extraFlags
            );
          };
        };
      })
    ];
    systemd.sockets.restic-rest-server = lib.mkIf server.enable {
      listenStreams = [ server.listenAddress ];
      wantedBy = [ "sockets.target" ];
      socketConfig.ReusePort = true;
    };
    systemd.timers = lib.mapAttrs' (
      name: backup:
      lib.nameValuePair "restic-backups-${name}" {
        wantedBy = [ "timers.target" ];
        inherit (backup) timerConfig;
      }
    ) config.services.restic.backups;
  };
}
