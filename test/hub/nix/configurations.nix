# What the tests evaluate: a hub and hosts in several ways.
{
  programs,
  store,
  bundle,
  agent,
  sopsBundle ? bundle,
  guestBundle ? bundle,
  hubAddress,
  passwordFile,
}:
let
  stub = import ./stub/secrets.nix;
  hub = ../../../hub/nix/backup-hub.nix;
  client = ../../../hub/nix/backup-client.nix;
  monitoring = ../../../hub/nix/monitoring.nix;
  evaluate = import ./stub/evaluate.nix {
    inherit programs store;
    secretsDirectory = "/run/secrets";
  };
  passwordFiles = {
    drhorrible = passwordFile;
    ursula = passwordFile;
  };
  # Drills take their time: each is of one host alone.
  hubDrilling = host: evaluate [
    stub.agenix
    hub
    client
    {
      networking.hostName = "ursula";
      services.offsite = {
        inherit bundle;
        secrets = "agenix";
        onFailure = [ "notify@%n.service" ];
        hub = {
          enable = true;
          inherit agent;
          server.listenAddress = hubAddress;
          inherit passwordFiles;
          drill.extraArgs = [
            "--from"
            "cloud"
            host
          ];
        };
        client = {
          enable = true;
          inherit passwordFile;
        };
      };
    }
  ];
in
{
  hub = hubDrilling "drhorrible";
  hubAgain = hubDrilling "ursula";
  host = evaluate [
    stub.agenix
    client
    {
      networking.hostName = "drhorrible";
      services.postgresql.enable = true;
      services.offsite = {
        inherit bundle;
        secrets = "agenix";
        client = {
          enable = true;
          inherit passwordFile;
          sqlite.files = [ "/var/lib/pocket-id/it's.db" ];
        };
      };
    }
  ];
  # Other ways: sops, nothing that opens secrets, a sealed manifest, a proxy, other times and values.
  sops = evaluate [
    stub.sops
    hub
    client
    {
      networking.hostName = "ursula";
      services.offsite = {
        bundle = sopsBundle;
        secrets = "sops";
        metricsDirectory = null;
        hub = {
          enable = true;
          inherit agent;
          server = {
            listenAddress = "100.64.0.1:8000";
            meshInterface = "tailscale0";
          };
          nginx.enable = true;
          nginx.allow = [ "100.64.0.0/10" ];
          mirror.schedule.peer = "05:30";
          mirror.limitUpload.peer = 512;
          prune.daily = 14;
          inherit passwordFiles;
          drill.checks.drhorrible = [
            {
              name = "there";
              command = [
                "test"
                "-s"
                "var/lib/100%"
              ];
            }
          ];
          triggers.ursula = [ "/bin/true" ];
          settings.overdueDays.drill = 70;
        };
        client = {
          enable = true;
          inherit passwordFile;
        };
      };
    }
  ];
  sealed = evaluate [
    hub
    client
    {
      networking.hostName = "ursula";
      services.offsite = {
        secrets = "none";
        facts = {
          hub.host = "ursula";
          hosts = [ "ursula" ];
          targets.cloud = "b2";
          targets.cloud2 = "b2";
        };
        hub = {
          enable = true;
          inherit agent;
          manifestFile = "/run/keys/offsite.json";
          htpasswdFile = "/run/keys/htpasswd";
          rcloneConfigFile = "/run/keys/rclone.conf";
          credentialsFile = "/run/keys/credentials.json";
          page.file = "/var/lib/offsite-page/index.html";
          page.distrustHours = 26;
          notify.pingUrlFile = "/run/keys/ping";
        };
        client = {
          enable = true;
          environmentFile = "/run/keys/ursula.env";
          inherit passwordFile;
        };
      };
    }
  ];
  sealedAgenix = evaluate [
    stub.agenix
    hub
    {
      networking.hostName = "ursula";
      services.offsite = {
        inherit bundle;
        secrets = "agenix";
        facts = {
          hub.host = "ursula";
          hosts = [ "ursula" ];
          targets.peer = "rest-server";
        };
        hub.enable = true;
        hub.agent = agent;
        hub.drill.controlSchedule = null;
      };
    }
  ];
  # Wrong in every way that can be told at once.
  wrong = evaluate [
    hub
    client
    {
      networking.hostName = "drhorrible";
      services.offsite = {
        inherit bundle;
        secrets = "none";
        hub = {
          enable = true;
          mirror.schedule.moon = "01:00";
          passwordFiles.nobody = "/run/keys/nobody";
        };
        client = {
          enable = true;
          inherit passwordFile;
        };
      };
    }
  ];
  # Guests: one at an address of its own, the other behind nginx.
  guests = evaluate [
    stub.agenix
    hub
    {
      networking.hostName = "ursula";
      services.offsite = {
        bundle = guestBundle;
        secrets = "agenix";
        onFailure = [ "notify@%n.service" ];
        hub = {
          enable = true;
          inherit agent passwordFiles;
          guests.listen.laptop = "10.8.0.1:8101";
          guests.nginx.enable = true;
          guests.nginx.allow = [ "10.8.0.0/24" ];
          guests.quietDays = 30;
        };
      };
    }
  ];
  guestsSealed = evaluate [
    hub
    {
      networking.hostName = "ursula";
      services.offsite = {
        secrets = "none";
        facts = {
          hub.host = "ursula";
          hosts = [ "ursula" ];
          targets.cloud = "b2";
          guests.laptop = 100;
        };
        hub = {
          enable = true;
          inherit agent;
          guests.listen.nobody = "10.8.0.1:8101";
        };
      };
    }
  ];
  # Tunnels: one from the bundle, one that is opened elsewhere.
  tunnels = evaluate [
    stub.agenix
    hub
    {
      networking.hostName = "ursula";
      networking.nftables.enable = true;
      services.offsite = {
        inherit bundle;
        secrets = "agenix";
        onFailure = [ "notify@%n.service" ];
        hub = {
          enable = true;
          inherit agent passwordFiles;
          tunnels.peer = { };
          tunnels.cloud.interface = "a-name-that-is-too-long";
          tunnels.cloud.configFile = "/run/secrets/elsewhere";
        };
      };
    }
  ];
  # The machine of Prometheus, which is no hub.
  prometheus = evaluate [
    monitoring
    { services.offsite.monitoring.enable = true; }
  ];
  prometheusWithLinks = evaluate [
    monitoring
    {
      services.offsite.monitoring = {
        enable = true;
        runbooks = "https://git.example.org/fort-offsite/";
      };
    }
  ];
  # Imported, and not enabled.
  off = evaluate [
    stub.agenix
    hub
    client
    monitoring
    { }
  ];
}
