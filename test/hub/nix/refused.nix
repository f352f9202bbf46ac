# Mistakes that end the evaluation, by name.
{ mistake, bundle }:
let
  evaluate = import ./stub/evaluate.nix {
    programs = "/programs";
    store = "/store";
    secretsDirectory = "/run/secrets";
  };
  stub = import ./stub/secrets.nix;
  offsite = host: more: evaluate [
    stub.agenix
    ../../../hub/nix/backup-hub.nix
    ../../../hub/nix/backup-client.nix
    {
      networking.hostName = host;
      services.offsite = {
        inherit bundle;
        secrets = "agenix";
      };
    }
    more
  ];
  client = {
    services.offsite.client = {
      enable = true;
      passwordFile = "/run/secrets/restic-password";
    };
  };
  hub = settings: {
    services.offsite.hub = settings // {
      enable = true;
    };
  };
in
{
  machine = {
    "as it should be" = offsite "ursula" client;
    "a bundle for another tool" = evaluate [
      stub.sops
      ../../../hub/nix/backup-client.nix
      client
      {
        networking.hostName = "ursula";
        services.offsite = {
          inherit bundle;
          secrets = "sops";
        };
      }
    ];
    "a host that the manifest does not have" = offsite "minos" client;
    "an option that does not exist" = offsite "ursula" (hub { mirrors = { }; });
    "a value of the wrong type" = offsite "ursula" (hub { overdueHours = "48"; });
    "no bundle" = evaluate [
      ../../../hub/nix/backup-client.nix
      client
      { services.offsite.secrets = "none"; }
    ];
  }
  .${mistake};
}
