# The hub's rest-server: append-only, a private repository for each host, the emitted htpasswd.
{
  config,
  lib,
  options,
  ...
}:
let
  offsite = config.services.offsite;
  cfg = offsite.hub;
  manifest = import ../manifest.nix { inherit lib; } offsite;
  secrets = import ../secrets.nix { inherit lib config options; };

  address = cfg.server.listenAddress;
  port = lib.last (lib.splitString ":" address);
  hostOfUrl = url: builtins.match "[a-z]+://([^/:]+).*" url;
  virtualHost =
    if cfg.nginx.virtualHost != null then
      cfg.nginx.virtualHost
    else if hostOfUrl manifest.hub.url != null then
      builtins.head (hostOfUrl manifest.hub.url)
    else
      throw "services.offsite.hub.nginx.virtualHost: not set, and the hub's URL \"${manifest.hub.url}\" has no host name";
in
{
  config = lib.mkIf cfg.enable {
    services.restic.server = {
      enable = true;
      appendOnly = true;
      privateRepos = true;
      dataDir = manifest.hub.repositories;
      inherit (cfg.server) listenAddress prometheus;
      htpasswd-file =
        if cfg.htpasswdFile != null then cfg.htpasswdFile else secrets.pathOf "offsite-htpasswd";
    };

    systemd.services.restic-rest-server = {
      # A rotation reaches the server with the deployment. Its socket stays open meanwhile.
      restartTriggers = lib.optional (offsite.secrets != "none") (secrets.sealed "hub.htpasswd");
      inherit (offsite) onFailure;
      # Without the disk there would be no repositories, and hosts might make new ones.
      unitConfig.RequiresMountsFor = [ manifest.hub.repositories ];
    };

    # The mesh's address may come up later than the socket.
    systemd.sockets.restic-rest-server.socketConfig.FreeBind = true;

    networking.firewall.interfaces = lib.mkIf (cfg.server.meshInterface != null) {
      ${cfg.server.meshInterface}.allowedTCPPorts = [ (lib.toInt port) ];
    };

    services.nginx = lib.mkIf cfg.nginx.enable {
      enable = true;
      virtualHosts.${virtualHost}.locations."/" = {
        proxyPass = "http://${if address == port then "127.0.0.1:${port}" else address}";
        extraConfig = ''
          # restic sends files of any size, and nginx would refuse what is above 1 MB.
          client_max_body_size 0;
          # Straight through: no copy of each file on this machine's disk.
          proxy_request_buffering off;
          proxy_buffering off;
          proxy_http_version 1.1;
          proxy_read_timeout 1h;
          proxy_send_timeout 1h;
          ${lib.concatMapStrings (from: "allow ${from};\n") cfg.nginx.allow}deny all;
        '';
      };
    };
  };
}
