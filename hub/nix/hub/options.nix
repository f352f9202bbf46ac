# The hub's options. The defaults are the seed document's values.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.offsite.hub;
  inherit (lib) mkOption types;

  schedule =
    default: what:
    mkOption {
      type = types.str;
      inherit default;
      description = "When to ${what}, as systemd.time(7) has it.";
    };
  extraArgs = mkOption {
    type = types.listOf types.str;
    default = [ ];
    description = "More arguments for the agent.";
  };
  kept =
    default: what:
    mkOption {
      type = types.ints.unsigned;
      inherit default;
      description = "How many ${what} snapshots the hub keeps.";
    };
  secretFile =
    what:
    mkOption {
      type = types.nullOr types.str;
      default = null;
      description = ''
        The opened ${what} on the machine, for `services.offsite.secrets = "none"`; user `restic` must
        be able to read it. Otherwise it is declared and found by itself.
      '';
    };
in
{
  options.services.offsite.hub = {
    enable = lib.mkEnableOption "the hub: its rest-server, and the agent that copies its repositories offsite";

    host = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      description = "The name of this machine in the stack's config.";
    };

    agent = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = lib.literalExpression "./offsite-hub.mjs";
      description = "The agent, one file: `dist/offsite-hub.mjs` of fort-offsite, which `npm ci` builds there.";
    };

    manifestFile = secretFile "manifest (offsite.json), where it is sealed,";
    htpasswdFile = secretFile "hub.htpasswd";
    rcloneConfigFile = secretFile "rclone.conf";
    credentialsFile = secretFile "hub-credentials.json";

    passwordFiles = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = lib.literalExpression "{ q = config.age.secrets.restic-password-q.path; }";
      description = ''
        By host: a file with a password of its restic repository, for prune and drill, and for what
        status and list tell of a backup beside its time. User `restic`
        must be able to read it. Nothing else at the hub needs a password.
      '';
    };

    server = {
      listenAddress = mkOption {
        type = types.str;
        default = "127.0.0.1:8000";
        example = "100.64.0.1:8000";
        description = ''
          Where rest-server listens: behind a proxy on this machine, or at the hub's address on the
          mesh. It speaks no TLS.
        '';
      };
      meshInterface = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "tailscale0";
        description = "A network interface on which the firewall opens rest-server's port; no other is opened.";
      };
      prometheus = mkOption {
        type = types.bool;
        default = false;
        description = "Whether rest-server serves its own metrics at /metrics.";
      };
    };

    nginx = {
      enable = lib.mkEnableOption "a virtual host of nginx in front of rest-server. TLS is for the same virtual host to add";
      virtualHost = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "The virtual host's name; by default that of the hub's URL in the manifest.";
      };
      allow = mkOption {
        type = types.listOf types.str;
        default = [
          "127.0.0.0/8"
          "::1"
          "100.64.0.0/10"
          "fd7a:115c:a1e0::/48"
        ];
        description = "Who may connect; everybody else is refused. The default is the machine itself and a Tailscale or Headscale mesh.";
      };
    };

    guests = {
      listen = mkOption {
        type = types.attrsOf types.str;
        default = { };
        example = {
          laptop = "10.8.0.1:8101";
        };
        description = ''
          By guest: an address of its own, such as the hub's in the tunnel, at which it is answered
          without TLS. The firewall is yours to open. The others are answered at sockets below
          /run/offsite-guests, for a proxy.
        '';
      };
      nginx = {
        enable = lib.mkEnableOption "locations of nginx in front of the guests' servers, where their URLs say. TLS is for the same virtual host to add";
        virtualHost = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "The virtual host's name; by default that of the guest's URL in the manifest.";
        };
        allow = mkOption {
          type = types.listOf types.str;
          default = cfg.nginx.allow;
          defaultText = lib.literalExpression "config.services.offsite.hub.nginx.allow";
          example = [ "10.8.0.0/24" ];
          description = "Who may connect to the guests' servers; everybody else is refused.";
        };
      };
      htpasswdFiles = mkOption {
        type = types.attrsOf types.str;
        default = { };
        description = ''
          By guest: the opened guests/<guest>.htpasswd on the machine, for
          `services.offsite.secrets = "none"`; user `guest-<guest>` must be able to read it.
        '';
      };
      quietDays = mkOption {
        type = types.numbers.positive;
        default = 14;
        description = "Days after which status tells that a guest has not backed up.";
      };
      fullPercent = mkOption {
        type = types.numbers.positive;
        default = 90;
        description = "The share of its limit from which status tells that a guest is nearly full.";
      };
    };

    tunnels = mkOption {
      type = types.attrsOf (
        types.submodule (
          { name, ... }:
          {
            options = {
              interface = mkOption {
                type = types.str;
                default = builtins.substring 0 15 "wg-${name}";
                defaultText = lib.literalExpression ''"wg-<target>"'';
                description = "The network interface's name.";
              };
              configFile = secretFile "wireguard/<target>.conf";
            };
          }
        )
      );
      default = { };
      example = {
        peer = { };
      };
      description = ''
        By target: the hub's end of a WireGuard tunnel to it (`tunnel: wireguard` in the stack's
        config), brought up with wg-quick. The peer reaches nothing through it.
      '';
    };

    mirror = {
      schedule = mkOption {
        type = types.attrsOf types.str;
        default = { };
        example = {
          cloud = "01:30";
        };
        description = "When to copy to a target, by its name; by default 02:00 to a cloud and 03:00 to a peer.";
      };
      limitUpload = mkOption {
        type = types.attrsOf types.ints.positive;
        default = { };
        example = {
          peer = 2048;
        };
        description = "The most to send to a target, by its name, in KiB/s.";
      };
      inherit extraArgs;
    };

    prune = {
      schedule = schedule "04:00" "prune the hub's repositories";
      daily = kept 7 "daily";
      weekly = kept 4 "weekly";
      monthly = kept 6 "monthly";
      keepHours = mkOption {
        type = types.ints.unsigned;
        default = 48;
        description = "Hours after its arrival in which no snapshot is removed, whatever came since.";
      };
      maxBackupHours = mkOption {
        type = types.numbers.positive;
        default = 26;
        description = ''
          The longest that a backup takes, in hours: a snapshot that claims an earlier time than so long
          before its arrival is suspicious.
        '';
      };
      inherit extraArgs;
    };

    graceDays = mkOption {
      type = types.numbers.nonnegative;
      default = 7;
      description = "Days between a file's removal at the hub and its hiding at a cloud target.";
    };

    verify = {
      schedule = schedule "Sun 06:00" "verify all targets";
      extraArgs = extraArgs // {
        default = [ "--deep" ];
      };
    };

    drill = {
      schedule = schedule "*-*-01 07:00" "restore every host from every target, and check what came back";
      controlSchedule = mkOption {
        type = types.nullOr types.str;
        default = "*-01,04,07,10-15 07:00";
        description = ''
          When to run a drill on copies that were broken on purpose: it fails when the drill passes on
          one. It restores as much as a drill. Null runs none.
        '';
      };
      scratch = mkOption {
        type = types.path;
        default = "/var/lib/offsite-drill";
        description = ''
          Where drills restore to. It needs room for the largest host, on a disk and not in memory, and
          is made for user `restic` alone: what is restored lies there in clear while a drill runs.
        '';
      };
      checks = mkOption {
        type = types.attrsOf (
          types.listOf (
            types.submodule {
              options = {
                name = mkOption {
                  type = types.str;
                  description = "What it checks, for the report.";
                };
                command = mkOption {
                  type = types.nonEmptyListOf types.str;
                  description = "A program and its arguments, run in the folder that holds what was restored. Exit code 0 passes.";
                };
                timeoutSeconds = mkOption {
                  type = types.ints.positive;
                  default = 600;
                  description = "When it counts as failed.";
                };
              };
            }
          )
        );
        default = { };
        description = "By host: the host's own checks of what was restored.";
      };
      ignore = mkOption {
        type = types.attrsOf (types.listOf types.path);
        default = { };
        example = {
          q = [ "/var/lib/postgresql" ];
        };
        description = ''
          By host: files and folders, as they are called there, that the built-in checks of SQLite files
          and PostgreSQL dumps leave alone.
        '';
      };
      postgresql = mkOption {
        type = types.package;
        default =
          if config.services.postgresql.enable then config.services.postgresql.package else pkgs.postgresql;
        defaultText = lib.literalExpression "pkgs.postgresql";
        description = "The PostgreSQL that takes dumps back: no older than any host's.";
      };
      path = mkOption {
        type = types.listOf types.package;
        default = [ ];
        description = "What the hosts' own checks may call by name.";
      };
      inherit extraArgs;
    };

    overdueHours = mkOption {
      type = types.numbers.positive;
      default = 48;
      description = "Hours after which a host without a new snapshot is overdue.";
    };

    overdueDays =
      let
        days =
          default: what:
          mkOption {
            type = types.numbers.positive;
            inherit default;
            description = "Days after which ${what} that succeeded before is overdue to succeed again.";
          };
      in
      {
        verify = days 9 "a verify";
        drill = days 40 "a drill";
        prune = days 3 "a prune";
      };

    status.schedule = schedule "hourly" "look whether anything is overdue or has failed";
    metrics.schedule = schedule "hourly" "write metrics anew; they are also written after each run";

    page = {
      file = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/var/lib/offsite-page/index.html";
        description = ''
          Where to write the status as a page for a web server of yours, after each run and by its
          schedule; the directory is made, and is user `restic`'s. Null writes none.
        '';
      };
      schedule = schedule "hourly" "write the page anew; it is also written after each run";
      distrustHours = mkOption {
        type = types.numbers.positive;
        default = 3;
        description = "The age from which the page says that it is not to be trusted.";
      };
    };

    notify = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = lib.literalExpression "{ pingUrlFile = config.age.secrets.offsite-ping.path; }";
      description = ''
        Whom the agent tells how its runs end: `notify` of its settings.json, whose schema describes
        `pingUrlFile`, `pingUrlFiles`, `webhookUrlFile`, `webhookTokenFile`, `repeatHours` and
        `timeoutSeconds`. User `restic` must be able to read the files.
      '';
    };

    triggers = mkOption {
      type = types.attrsOf (types.nonEmptyListOf types.str);
      default = { };
      description = "By host: a program and its arguments that start its backup and return at once, for `backup-trigger`.";
    };

    settings = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      description = "More of the agent's settings.json, merged over what the options above say.";
    };

    randomizedDelay = mkOption {
      type = types.str;
      default = "0";
      example = "10m";
      description = "How much later than scheduled a run may begin, at random. Prune is not delayed.";
    };

    handlers = mkOption {
      type = types.attrsOf types.package;
      readOnly = true;
      description = ''
        Programs for the capabilities `backup-status`, `backup-list` and `backup-trigger`: the request
        is JSON on standard input, the answer JSON on standard output. They may be started by root, with
        an empty PATH; what touches a repository works as user `restic`.
      '';
    };
  };
}
