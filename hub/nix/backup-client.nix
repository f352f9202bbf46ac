# A host: backs up to the hub.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  offsite = config.services.offsite;
  cfg = offsite.client;
  manifest = import ./manifest.nix { inherit lib; } offsite;
  secrets = import ./secrets.nix { inherit lib config options; };
  inherit (lib) mkOption types;

  host =
    manifest.hosts.${cfg.host}
      or (throw "services.offsite.client.host: no such host: \"${cfg.host}\". The manifest has ${
        lib.concatMapStringsSep ", " (name: "\"${name}\"") (lib.attrNames manifest.hosts)
      }. Add it to hosts in the stack's config and run `pulumi up`");

  # The hub's own repositories do not belong in the hub's backup, nor what a drill restores; nor what
  # the agent remembers of them, which would come back older than the repositories.
  hubsOwn = lib.optionals (manifest.hub.host == cfg.host) (
    [
      manifest.hub.repositories
      "/var/lib/offsite-hub"
    ]
    ++ lib.optional (offsite.hub.enable or false) offsite.hub.drill.scratch
  );

  unit = "restic-backups-offsite";
  runtime = "/run/${unit}";
  environmentFile =
    if cfg.environmentFile != null then cfg.environmentFile else secrets.pathOf "offsite-host";

  credentialsFile = lib.toShellVars {
    credentials_file = if environmentFile == null then "" else environmentFile;
  };

  # Each run of restic chooses its credential, also the one that an operator starts by hand.
  restic = pkgs.writeShellScriptBin "restic" ''
    set -euo pipefail
    path_for_restic=$PATH
    PATH=${
      lib.makeBinPath [
        pkgs.coreutils
        pkgs.curl
      ]
    }
    ${credentialsFile}
    ${builtins.readFile ./client/credential.sh}
    ${builtins.readFile ./client/restic.sh}
    run_restic ${cfg.package}/bin/restic "$@"
  '';

  variables = ''
    set -euo pipefail
    export PATH=${
      lib.makeBinPath (
        [
          restic
          pkgs.bash
          pkgs.coreutils
          pkgs.curl
          pkgs.util-linux
        ]
        ++ lib.optional cfg.postgresql.enable config.services.postgresql.package
        ++ lib.optional (cfg.sqlite.files != [ ]) pkgs.sqlite
      )
    }
    ${lib.toShellVars {
      inherit runtime;
      dumps = cfg.dumpDirectory;
      state = "/var/lib/offsite-client";
      metrics = if offsite.metricsDirectory == null then "" else offsite.metricsDirectory;
    }}
  '';

  prepare = pkgs.writeShellScript "offsite-prepare" ''
    ${variables}
    umask 077
    ${credentialsFile}
    ${builtins.readFile ./client/credential.sh}
    ${builtins.readFile ./client/prepare.sh}
    rm -rf -- "$dumps" "$dumps_failed"
    choose_credential
    ensure_repository
    mkdir -p -- "$dumps"
    ${lib.optionalString cfg.postgresql.enable (
      "dump PostgreSQL dump_postgresql "
      + lib.escapeShellArgs [
        "pg_dumpall"
        "--port"
        (toString config.services.postgresql.settings.port)
      ]
    )}
    ${lib.concatMapStringsSep "\n" (
      file: "dump ${lib.escapeShellArg file} dump_sqlite ${lib.escapeShellArg file}"
    ) cfg.sqlite.files}
  '';

  finish = pkgs.writeShellScript "offsite-finish" ''
    ${variables}
    ${builtins.readFile ./client/finish.sh}
  '';

  dumping = cfg.postgresql.enable || cfg.sqlite.files != [ ];
in
{
  imports = [ ./common.nix ];

  options.services.offsite.client = {
    enable = lib.mkEnableOption "the backup of this host to the hub";

    host = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      description = "The name of this machine in the stack's config.";
    };
    package = lib.mkPackageOption pkgs "restic" { };
    passwordFile = mkOption {
      type = types.str;
      example = lib.literalExpression "config.age.secrets.restic-password.path";
      description = "A file with the password of this host's restic repository. It is not part of the bundle.";
    };
    environmentFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = ''
        This host's opened file of the bundle, `hosts/<host>.env`, for `services.offsite.secrets = "none"`.
        Otherwise it is declared and found by itself.
      '';
    };
    paths = mkOption {
      type = types.listOf types.str;
      default = [ "/var/lib" ];
      description = "What to back up.";
    };
    exclude = mkOption {
      type = types.listOf types.str;
      default = [
        "/var/lib/docker"
        "/var/lib/containers"
        "*.log"
      ];
      description = "What not to, as patterns of restic's.";
    };
    schedule = mkOption {
      type = types.str;
      default = "daily";
      description = "When, as systemd.time(7) has it.";
    };
    randomizedDelay = mkOption {
      type = types.str;
      default = "1h";
      description = "How much later than that it may begin, at random.";
    };
    retryLock = mkOption {
      type = types.str;
      default = "1h";
      description = "How long to wait while the hub's prune has the repository locked.";
    };
    extraBackupArgs = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "More arguments for restic.";
    };
    dumpDirectory = mkOption {
      type = types.path;
      default = "${runtime}/dumps";
      defaultText = "/run/restic-backups-offsite/dumps";
      description = ''
        Where databases are dumped to, for root alone; removed after each run. The default is in memory:
        for large databases give a directory on a disk, and none with anything else in it.
      '';
    };
    postgresql.enable = mkOption {
      type = types.bool;
      default = config.services.postgresql.enable;
      defaultText = lib.literalExpression "config.services.postgresql.enable";
      description = "Whether to dump all of PostgreSQL before each backup.";
    };
    sqlite.files = mkOption {
      type = types.listOf types.path;
      default = [ ];
      example = [ "/var/lib/pocket-id/pocket-id.db" ];
      description = "SQLite databases of which a sound copy is made before each backup.";
    };
  };

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        assertions = secrets.assertions ++ [
          (secrets.sealedFor host.environment)
          {
            assertion = offsite.secrets != "none" || cfg.environmentFile != null;
            message = "services.offsite.secrets is \"none\": set services.offsite.client.environmentFile";
          }
        ];

        services.restic.backups.offsite = {
          # What the host's own file says goes before this.
          repository = if host.repository == null then "see-the-environment-file" else host.repository;
          inherit environmentFile;
          inherit (cfg) passwordFile;
          package = restic;
          paths = cfg.paths ++ lib.optional dumping cfg.dumpDirectory;
          exclude = cfg.exclude ++ hubsOwn;
          extraBackupArgs = [
            "--host"
            cfg.host
            "--retry-lock"
            cfg.retryLock
          ]
          ++ cfg.extraBackupArgs;
          backupPrepareCommand = "${prepare}";
          backupCleanupCommand = "${finish}";
          timerConfig = {
            OnCalendar = cfg.schedule;
            RandomizedDelaySec = cfg.randomizedDelay;
            Persistent = true;
          };
        };

        # What the runbooks type on a host: restoring from a target must not begin with an installation.
        environment.systemPackages = [
          cfg.package
          pkgs.rclone
        ]
        ++ lib.optional (cfg.sqlite.files != [ ]) pkgs.sqlite;

        systemd.services.${unit} = {
          after = lib.optional cfg.postgresql.enable "postgresql.service";
          inherit (offsite) onFailure;
          environment = lib.mkIf (host.repository == null) { RESTIC_REPOSITORY = lib.mkForce null; };
          # The backup is made; now say what is not in it.
          postStart = lib.mkIf dumping ''
            if [ -e ${runtime}/dumps-failed ]; then
              # The priority for the journal first (sd-daemon(3)).
              echo "<3>error: not in this backup, because it could not be dumped: $(tr '\n' ' ' <${runtime}/dumps-failed)" >&2
              exit 1
            fi
          '';
          serviceConfig = import ./hardening.nix // {
            StateDirectory = "offsite-client";
            StateDirectoryMode = "0700";
            RuntimeDirectoryMode = "0700";
            ReadWritePaths =
              lib.optional (offsite.metricsDirectory != null) offsite.metricsDirectory
              ++ lib.optional (!lib.hasPrefix "${runtime}/" cfg.dumpDirectory) (dirOf cfg.dumpDirectory)
              # SQLite keeps files beside a database that is in use.
              ++ map (file: "-${dirOf file}") cfg.sqlite.files;
            # Reads everything, becomes a database's owner, and may do nothing else that root may.
            CapabilityBoundingSet = [
              "CAP_DAC_READ_SEARCH"
              "CAP_SETGID"
              "CAP_SETUID"
            ];
            ProtectHome = "read-only";
            SystemCallFilter = "@system-service";
          };
        };
      }
      (secrets.declare {
        offsite-host = {
          # The manifest's name of the file has its suffix already.
          file = offsite.bundle + "/${host.environment}";
          owner = "root";
        };
      })
    ]
  );
}
