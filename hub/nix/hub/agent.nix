# How the agent is run: its environment, and as a command for the operator and the handlers.
{
  config,
  lib,
  options,
  pkgs,
}:
let
  offsite = config.services.offsite;
  cfg = offsite.hub;
  manifest = import ../manifest.nix { inherit lib; } offsite;
  secrets = import ../secrets.nix { inherit lib config options; };
  opened = own: name: if own != null then own else secrets.pathOf name;
  settings = import ./settings.nix { inherit lib pkgs; } cfg;

  environment = {
    OFFSITE_MANIFEST = if manifest.sealed then opened cfg.manifestFile "offsite-manifest" else manifest.file;
    OFFSITE_CREDENTIALS = opened cfg.credentialsFile "offsite-hub-credentials";
    OFFSITE_RCLONE_CONFIG = opened cfg.rcloneConfigFile "offsite-rclone";
    OFFSITE_SETTINGS = "${settings}";
    OFFSITE_STATE = "/var/lib/offsite-hub";
    OFFSITE_RCLONE = "${pkgs.rclone}/bin/rclone";
    OFFSITE_RESTIC = "${pkgs.restic}/bin/restic";
    # The user's home is the directory of repositories: no cache belongs there.
    HOME = "/var/cache/offsite-hub";
    XDG_CACHE_HOME = "/var/cache/offsite-hub";
  };

  package = pkgs.writeShellScriptBin "offsite-hub" ''
    exec ${pkgs.nodejs}/bin/node --max-semi-space-size=2 ${lib.optionalString (cfg.agent != null) "${cfg.agent}"} "$@"
  '';

  # What root starts goes on as the repositories' owner: a file of root's in there would lock the
  # server out of it. A trigger touches no repository, and may need to be root to start a unit.
  command = pkgs.writeShellScriptBin "offsite-hub" ''
    ${lib.toShellVars environment}
    export ${toString (lib.attrNames environment)}
    export PATH=${lib.makeBinPath (cfg.drill.path ++ [ pkgs.bash pkgs.coreutils ])}''${PATH:+:$PATH}
    become=()
    if [ "$(${pkgs.coreutils}/bin/id -u)" = 0 ] && [ "''${1-}" != trigger ]; then
      become=(${pkgs.util-linux}/bin/setpriv --reuid=restic --regid=restic --init-groups --no-new-privs --)
    fi
    exec "''${become[@]}" ${package}/bin/offsite-hub "$@"
  '';

  handler = name: pkgs.writeShellScript "backup-${name}" ''
    cd /
    exec ${command}/bin/offsite-hub ${name} --request
  '';
in
{
  inherit environment package command;
  handlers = lib.listToAttrs (
    map (name: lib.nameValuePair "backup-${name}" (handler name)) [
      "status"
      "list"
      "trigger"
    ]
  );
}
