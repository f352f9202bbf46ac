# The hub: the machine that receives the hosts' backups and copies them offsite.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  offsite = config.services.offsite;
  cfg = offsite.hub;
  manifest = import ./manifest.nix { inherit lib; } offsite;
  secrets = import ./secrets.nix { inherit lib config options; };
  agent = import ./hub/agent.nix {
    inherit
      config
      lib
      options
      pkgs
      ;
  };

  quoted = names: lib.concatMapStringsSep ", " (name: "\"${name}\"") names;
  unknown = given: known: lib.subtractLists (lib.attrNames known) (lib.attrNames given);
  assertKnown = option: given: what: known: {
    assertion = unknown given known == [ ];
    message = "services.offsite.hub.${option}: no such ${what}: ${quoted (unknown given known)}. The manifest has ${quoted (lib.attrNames known)}";
  };
  byHand = lib.optional manifest.sealed "manifestFile" ++ [
    "htpasswdFile"
    "rcloneConfigFile"
    "credentialsFile"
  ];
  missing = lib.filter (name: cfg.${name} == null) byHand;
  guestsWithout = unknown manifest.guests cfg.guests.htpasswdFiles;
in
{
  imports = [
    ./common.nix
    ./hub/guests.nix
    ./hub/options.nix
    ./hub/server.nix
    ./hub/tunnels.nix
    ./hub/units.nix
  ];

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        assertions = secrets.assertions ++ [
          {
            assertion = manifest.hub.host == cfg.host;
            message = "services.offsite.hub.enable is set on \"${cfg.host}\", and the bundle's hub is \"${manifest.hub.host}\". Enable it there, or change hub.host in the stack's config";
          }
          {
            assertion = cfg.agent != null;
            message = "services.offsite.hub.agent: give the agent's file. `npm ci` in fort-offsite builds it, as dist/offsite-hub.mjs";
          }
          {
            assertion = offsite.secrets != "none" || missing == [ ];
            message = "services.offsite.secrets is \"none\": set ${
              lib.concatMapStringsSep ", " (name: "services.offsite.hub.${name}") missing
            }";
          }
          (assertKnown "mirror.schedule" cfg.mirror.schedule "target" manifest.targets)
          (assertKnown "mirror.limitUpload" cfg.mirror.limitUpload "target" manifest.targets)
          (assertKnown "tunnels" cfg.tunnels "target" manifest.targets)
          (assertKnown "passwordFiles" cfg.passwordFiles "host" manifest.hosts)
          (assertKnown "drill.checks" cfg.drill.checks "host" manifest.hosts)
          (assertKnown "drill.ignore" cfg.drill.ignore "host" manifest.hosts)
          (assertKnown "triggers" cfg.triggers "host" manifest.hosts)
          (assertKnown "guests.listen" cfg.guests.listen "guest" manifest.guests)
          {
            assertion = offsite.secrets != "none" || guestsWithout == [ ];
            message = "services.offsite.secrets is \"none\": set services.offsite.hub.guests.htpasswdFiles for ${quoted guestsWithout}";
          }
        ];
        warnings =
          let
            without = unknown manifest.hosts cfg.passwordFiles;
          in
          lib.optional (without != [ ])
            "services.offsite.hub.passwordFiles: ${quoted without} have none, and can be neither pruned nor drilled";

        services.offsite.hub = { inherit (agent) handlers; };
        environment.systemPackages = [ agent.command ];
      }
      (secrets.declare (
        {
          offsite-htpasswd = {
            file = secrets.sealed "hub.htpasswd";
            owner = "restic";
          };
          offsite-rclone = {
            file = secrets.sealed "rclone.conf";
            owner = "restic";
          };
          offsite-hub-credentials = {
            file = secrets.sealed "hub-credentials.json";
            owner = "restic";
          };
        }
        // lib.mapAttrs' (
          name: _:
          lib.nameValuePair "offsite-guest-${name}" {
            file = secrets.sealed "guests/${name}.htpasswd";
            owner = "guest-${name}";
          }
        ) manifest.guests
        // lib.optionalAttrs manifest.sealed {
          offsite-manifest = {
            file = secrets.sealed "offsite.json";
            owner = "restic";
          };
        }
      ))
    ]
  );
}
