# The hub's end of WireGuard tunnels to peers, from the bundle's wireguard/<target>.conf. What the
# file itself says keeps a peer from reaching the hub; where the firewall is nftables, it is said
# there again, so that a ruleset that is loaded anew does not open the way.
{
  config,
  lib,
  options,
  ...
}:
let
  offsite = config.services.offsite;
  cfg = offsite.hub;
  secrets = import ../secrets.nix { inherit lib config options; };
  secretOf = target: "offsite-wireguard-${target}";
  fileOf =
    target: tunnel:
    if tunnel.configFile != null then tunnel.configFile else secrets.pathOf (secretOf target);
  sealed = lib.filterAttrs (_: tunnel: tunnel.configFile == null) cfg.tunnels;
  unopened = if offsite.secrets == "none" then lib.attrNames sealed else [ ];
  names = lib.mapAttrsToList (_: tunnel: tunnel.interface) cfg.tunnels;
  long = lib.filter (name: builtins.match "[a-zA-Z0-9_-]{1,15}" name == null) names;
in
{
  config = lib.mkIf (cfg.enable && cfg.tunnels != { }) (
    lib.mkMerge [
      {
        assertions = [
          {
            assertion = unopened == [ ];
            message = "services.offsite.secrets is \"none\": set services.offsite.hub.tunnels.<target>.configFile for ${lib.concatStringsSep ", " unopened}";
          }
          {
            assertion = long == [ ];
            message = "services.offsite.hub.tunnels.<target>.interface: ${lib.concatStringsSep ", " long}: a network interface's name has at most 15 letters, digits, hyphens and underscores";
          }
        ];

        networking.wg-quick.interfaces = lib.mapAttrs' (
          target: tunnel: lib.nameValuePair tunnel.interface { configFile = fileOf target tunnel; }
        ) cfg.tunnels;

        systemd.services = lib.mapAttrs' (
          target: tunnel:
          lib.nameValuePair "wg-quick-${tunnel.interface}" {
            # A rotation reaches the tunnel with the deployment.
            restartTriggers = lib.optional (
              offsite.secrets != "none" && tunnel.configFile == null
            ) (secrets.sealed "wireguard/${target}.conf");
            inherit (offsite) onFailure;
          }
        ) cfg.tunnels;

        networking.nftables.tables = lib.mkIf config.networking.nftables.enable {
          offsite-tunnels = {
            family = "inet";
            content = ''
              chain input {
                type filter hook input priority filter - 1; policy accept;
                ${lib.concatMapStrings (name: ''iifname "${name}" ct state != { established, related } drop
                '') names}}
              chain forward {
                type filter hook forward priority filter - 1; policy accept;
                ${lib.concatMapStrings (name: ''iifname "${name}" drop
                '') names}}
            '';
          };
        };
      }
      (secrets.declare (
        lib.mapAttrs' (
          target: _:
          lib.nameValuePair (secretOf target) {
            file = secrets.sealed "wireguard/${target}.conf";
            owner = "root";
          }
        ) sealed
      ))
    ]
  );
}
