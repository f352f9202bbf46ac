# Evaluates a machine's configuration and tells what a system of it would hold.
{
  programs,
  store,
  secretsDirectory,
}:
modules:
let
  lib = import ./lib.nix;
  pkgs = import ./pkgs.nix { inherit lib programs store; };
  # systemd.service(5): arguments in quotes, with % and $ doubled.
  escape =
    argument:
    builtins.toJSON (
      builtins.replaceStrings [ "%" "$" ] [ "%%" "$$" ] (toString argument)
    );
  inherit
    (lib.evalModules {
      modules = [ ./nixos.nix ] ++ modules;
      specialArgs = {
        inherit pkgs secretsDirectory;
        utils.escapeSystemdExecArgs = lib.concatMapStringsSep " " escape;
      };
    })
    config
    ;

  script = name: text: "${pkgs.writeShellScript name "set -e\n${text}"}";
  hook = kind: text: lib.optionalAttrs (text != "") { ${kind} = [ (script kind text) ]; };
  usual = [
    pkgs.coreutils
    pkgs.findutils
    pkgs.gnugrep
    pkgs.gnused
    pkgs.systemd
  ];
  section = {
    service = service: {
      inherit (service)
        description
        after
        wants
        requires
        wantedBy
        onFailure
        unitConfig
        restartIfChanged
        restartTriggers
        ;
      environment = {
        PATH = lib.makeBinPath (service.path ++ usual);
      }
      // builtins.mapAttrs (_: toString) (lib.filterAttrs (_: value: value != null) service.environment);
      serviceConfig =
        service.serviceConfig
        // hook "ExecStartPre" service.preStart
        // hook "ExecStartPost" service.postStart
        // hook "ExecStopPost" service.postStop;
    };
  };
in
{
  refused = map (each: each.message) (lib.filter (each: !each.assertion) config.assertions);
  inherit (config) warnings;
  services = builtins.mapAttrs (_: section.service) config.systemd.services;
  inherit (config.systemd) sockets timers;
  tmpfiles = config.systemd.tmpfiles.rules;
  users = config.users.users;
  age = config.age.secrets or { };
  sops = config.sops.secrets or { };
  firewall = config.networking.firewall.interfaces;
  tunnels = builtins.mapAttrs (_: tunnel: tunnel.configFile) config.networking.wg-quick.interfaces;
  nftables = builtins.mapAttrs (_: table: table.content) config.networking.nftables.tables;
  nginx = config.services.nginx.virtualHosts;
  ruleFiles = map toString config.services.prometheus.ruleFiles;
  nodeExporter = config.services.prometheus.exporters.node;
  handlers = lib.optionalAttrs (config.services.offsite.hub.enable or false) (
    builtins.mapAttrs (_: toString) config.services.offsite.hub.handlers
  );
  commands = map (package: "${package}") config.environment.systemPackages;
}
