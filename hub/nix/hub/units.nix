# The hub's units: a mirror for each target, prune, verify, drill, status, metrics.
{
  config,
  lib,
  options,
  pkgs,
  utils,
  ...
}:
let
  offsite = config.services.offsite;
  cfg = offsite.hub;
  manifest = import ../manifest.nix { inherit lib; } offsite;
  agent = import ./agent.nix {
    inherit
      config
      lib
      options
      pkgs
      ;
  };
  inherit (import ./hardening.nix) hardening;

  mirrors = map (target: "offsite-mirror-${target}") (lib.attrNames manifest.targets);
  services = map (name: "${name}.service");
  metrics = lib.optional (offsite.metricsDirectory != null) "offsite-metrics.service";
  page = lib.optional (cfg.page.file != null) "offsite-page.service";
  # What shows how a run ended.
  shown = metrics ++ page;

  # A unit that runs the agent once. What it writes to besides its state is in `writes`.
  unit =
    {
      description,
      args,
      after ? [ ],
      writes ? [ ],
      path ? [ ],
      serviceConfig ? { },
      measured ? true,
    }:
    {
      inherit description path;
      inherit (agent) environment;
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ] ++ after;
      onFailure = lib.optionals measured shown ++ offsite.onFailure;
      unitConfig = {
        RequiresMountsFor = [ manifest.hub.repositories ];
      }
      // lib.optionalAttrs (measured && shown != [ ]) { OnSuccess = shown; };
      # A run goes on over a deployment: the next one uses what is new.
      restartIfChanged = false;
      serviceConfig =
        hardening
        // {
          Type = "oneshot";
          User = "restic";
          Group = "restic";
          ExecStart = utils.escapeSystemdExecArgs ([ "${agent.package}/bin/offsite-hub" ] ++ args);
          StateDirectory = "offsite-hub";
          StateDirectoryMode = "0700";
          CacheDirectory = "offsite-hub";
          CacheDirectoryMode = "0700";
          ReadWritePaths = writes;
          UMask = "0077";
          Nice = 10;
          IOSchedulingClass = "best-effort";
          IOSchedulingPriority = 7;
        }
        // serviceConfig;
    };

  drill =
    description: args:
    unit {
      inherit description;
      args = [ "drill" ] ++ args ++ cfg.drill.extraArgs;
      after = services (mirrors ++ [ "offsite-verify" ]);
      writes = [ cfg.drill.scratch ];
      # The agent's server for dumps is started by a shell.
      path = [ pkgs.bash ] ++ cfg.drill.path;
      # Restored files keep their modes, also set-uid ones.
      serviceConfig.RestrictSUIDSGID = false;
    };

  timer = OnCalendar: {
    wantedBy = [ "timers.target" ];
    timerConfig = {
      inherit OnCalendar;
      # What was missed while the machine was off is made up for.
      Persistent = true;
      RandomizedDelaySec = cfg.randomizedDelay;
    };
  };
  promptTimer = OnCalendar: lib.recursiveUpdate (timer OnCalendar) {
    timerConfig.RandomizedDelaySec = "0";
  };

  usualTime = {
    b2 = "02:00";
    r2 = "02:00";
    s3 = "02:00";
    rest-server = "03:00";
    sftp = "03:00";
  };
  mirrorTime = target: cfg.mirror.schedule.${target} or usualTime.${manifest.targets.${target}.type};

  perTarget =
    make: lib.mapAttrs' (target: _: lib.nameValuePair "offsite-mirror-${target}" (make target)) manifest.targets;
in
{
  config = lib.mkIf cfg.enable {
    systemd.services =
      perTarget (
        target:
        unit {
          description = "Copy the hosts' repositories to ${target}";
          args = [
            "mirror"
            target
          ]
          ++ lib.optionals (cfg.mirror.limitUpload ? ${target}) [
            "--limit-upload"
            (toString cfg.mirror.limitUpload.${target})
          ]
          ++ cfg.mirror.extraArgs;
        }
      )
      // {
        # After= holds back a start while a mirror's is under way, however long that takes: these are
        # oneshot units, which are "starting" until they have ended. The agent's locks hold back
        # whatever was started by hand.
        offsite-prune = unit {
          description = "Prune the hub's repositories";
          args = [ "prune" ] ++ cfg.prune.extraArgs;
          after = services mirrors;
          writes = [ manifest.hub.repositories ];
        };
        offsite-verify = unit {
          description = "Verify what is at the offsite targets";
          args = [ "verify" ] ++ cfg.verify.extraArgs;
          after = services (mirrors ++ [ "offsite-prune" ]);
        };
        offsite-drill = drill "Rehearse restoring from the offsite targets" [ ];
        offsite-status = unit {
          description = "Look whether a backup is overdue or something has failed";
          args = [ "status" ];
          measured = false;
        };
      }
      // lib.optionalAttrs (cfg.drill.controlSchedule != null) {
        offsite-drill-control = drill "Rehearse restoring from broken copies" [ "--control" ];
      }
      // lib.optionalAttrs (metrics != [ ]) {
        offsite-metrics = unit {
          description = "Write the backups' metrics";
          args = [
            "metrics"
            "--output"
            "${offsite.metricsDirectory}/offsite-hub.prom"
          ];
          measured = false;
          writes = [ offsite.metricsDirectory ];
          # The node exporter is another user.
          serviceConfig.UMask = "0022";
        };
      }
      // lib.optionalAttrs (page != [ ]) {
        offsite-page = unit {
          description = "Write the backups' status page";
          args = [
            "status"
            "--no-fail"
            "--html"
            cfg.page.file
          ];
          measured = false;
          writes = [ (dirOf cfg.page.file) ];
        };
      };

    systemd.timers =
      perTarget (target: timer (mirrorTime target))
      // {
        offsite-prune = promptTimer cfg.prune.schedule;
        offsite-verify = timer cfg.verify.schedule;
        offsite-drill = timer cfg.drill.schedule;
        offsite-status = timer cfg.status.schedule;
      }
      // lib.optionalAttrs (cfg.drill.controlSchedule != null) {
        offsite-drill-control = timer cfg.drill.controlSchedule;
      }
      // lib.optionalAttrs (metrics != [ ]) { offsite-metrics = timer cfg.metrics.schedule; }
      // lib.optionalAttrs (page != [ ]) { offsite-page = timer cfg.page.schedule; };

    # The agent's own are made by its units too; on a hub made anew the operator comes before them.
    systemd.tmpfiles.rules = [
      "d /var/lib/offsite-hub 0700 restic restic -"
      "d /var/cache/offsite-hub 0700 restic restic -"
      "d ${cfg.drill.scratch} 0700 restic restic -"
    ]
    # The web server is another user.
    ++ lib.optional (page != [ ]) "d ${dirOf cfg.page.file} 0755 restic restic -";
  };
}
