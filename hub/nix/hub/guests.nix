# The guests: machines of others, each with a rest-server of its own, which knows one directory, one
# user's credential, and no network: systemd hands it its socket.
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
  manifest = import ../manifest.nix { inherit lib; } offsite;
  secrets = import ../secrets.nix { inherit lib config options; };
  inherit (import ./hardening.nix) hardening;

  serve = pkgs.writeShellScript "offsite-guest" (builtins.readFile ../../guests/serve.sh);
  inherit (manifest) guests;
  directory = manifest.hub.guestRepositories;
  names = lib.attrNames guests;
  account = name: "guest-${name}";
  unit = name: "offsite-guest-${name}";
  secret = name: "offsite-guest-${name}";
  perGuest = naming: make: lib.listToAttrs (map (name: lib.nameValuePair (naming name) (make name)) names);

  htpasswd = name: cfg.guests.htpasswdFiles.${name} or (secrets.pathOf (secret name));
  socket = name: cfg.guests.listen.${name} or "/run/offsite-guests/${name}.sock";

  # Where a guest's repository is: rest:https://backup.example.org/laptop/
  parts = name: builtins.match "rest:[a-z]+://([^/:]+)(:[0-9]+)?(/.*)" guests.${name}.repository;
  virtualHost =
    name:
    if cfg.guests.nginx.virtualHost != null then
      cfg.guests.nginx.virtualHost
    else if guests.${name}.repository != null && parts name != null then
      builtins.head (parts name)
    else
      throw "services.offsite.hub.guests.nginx.virtualHost: not set, and the URL of the guest ${name} has no host name";
  path = name: if guests.${name}.repository != null then lib.last (parts name) else "/${name}/";
  # Who has an address of their own does without the proxy.
  proxied = lib.filter (name: !(cfg.guests.listen ? ${name})) names;
in
{
  config = lib.mkIf (cfg.enable && names != [ ]) {
    # Each a user: what one server could be made to do, it could not do to another guest's files, nor
    # to the hosts'. The agent looks at how they stand, and is in their groups for that.
    users.users = perGuest account (name: {
      isSystemUser = true;
      group = account name;
    }) // {
      restic.extraGroups = map account names;
    };
    users.groups = perGuest account (_: { });

    systemd.tmpfiles.rules = [
      "d ${directory} 0755 root root -"
    ]
    ++ map (name: "d ${directory}/${name} 0770 ${account name} ${account name} -") names;

    systemd.sockets = perGuest unit (name: {
      description = "Where the guest ${name} is answered";
      listenStreams = [ (socket name) ];
      wantedBy = [ "sockets.target" ];
      socketConfig = {
        # A tunnel's address may come up later than the socket.
        FreeBind = true;
        SocketMode = "0660";
      }
      // lib.optionalAttrs cfg.guests.nginx.enable { SocketGroup = "nginx"; };
    });

    systemd.services = perGuest unit (name: {
      description = "Serve the guest ${name}, up to ${toString guests.${name}.maxSizeGiB} GiB";
      requires = [ "${unit name}.socket" ];
      after = [ "${unit name}.socket" ];
      inherit (offsite) onFailure;
      restartTriggers = lib.optional (offsite.secrets != "none") (
        secrets.sealed "guests/${name}.htpasswd"
      );
      unitConfig.RequiresMountsFor = [ directory ];
      environment = {
        GUEST = name;
        GUEST_DIRECTORY = "${directory}/${name}";
        GUEST_HTPASSWD = htpasswd name;
        GUEST_MAX_BYTES = toString (builtins.floor (guests.${name}.maxSizeGiB * 1073741824));
        REST_SERVER = "${pkgs.restic-rest-server}/bin/rest-server";
      };
      serviceConfig = hardening // {
        Type = "simple";
        ExecStart = "${serve}";
        User = account name;
        Group = account name;
        # The one directory; no other guest's, none of the hosts', no network but the socket.
        TemporaryFileSystem = "${directory}:ro";
        BindPaths = [ "${directory}/${name}" ];
        InaccessiblePaths = [
          "-${manifest.hub.repositories}"
          "-/var/lib/offsite-hub"
        ];
        PrivateNetwork = true;
        RestrictAddressFamilies = [ "AF_UNIX" ];
        ProtectProc = "invisible";
        PrivateUsers = true;
        Nice = 5;
      };
    });

    services.nginx = lib.mkIf cfg.guests.nginx.enable {
      enable = true;
      virtualHosts = lib.mkMerge (
        map (name: {
          ${virtualHost name}.locations.${path name} = {
            proxyPass = "http://unix:${socket name}:/${name}/";
            extraConfig = ''
              client_max_body_size 0;
              proxy_request_buffering off;
              proxy_buffering off;
              proxy_http_version 1.1;
              proxy_read_timeout 1h;
              proxy_send_timeout 1h;
              ${lib.concatMapStrings (from: "allow ${from};\n") cfg.guests.nginx.allow}deny all;
            '';
          };
        }) proxied
      );
    };
  };
}
