# Declares files of the bundle as secrets of agenix or sops-nix.
{
  lib,
  config,
  options,
}:
let
  cfg = config.services.offsite;
  inherit (cfg) secrets;
  suffix =
    {
      agenix = ".age";
      sops = ".sops";
      none = "";
    }
    .${secrets};
in
{
  # What is wrong when a file of the bundle is sealed for another tool than the machine's.
  sealedFor = path: {
    assertion = secrets == "none" || lib.hasSuffix suffix path;
    message = "services.offsite.secrets is \"${secrets}\", which opens files that end in ${suffix}, and the bundle has ${path}. Set seal.format in the stack's config, or the option, to the other";
  };

  # The sealed form of a file of the bundle, given its path there without a suffix.
  sealed =
    path:
    if cfg.bundle == null then
      throw "services.offsite.bundle: not set, and services.offsite.secrets = \"${secrets}\" takes the sealed files from there"
    else
      cfg.bundle + "/${path}${suffix}";

  # Where a secret is, opened, on the machine; null where it is declared elsewhere.
  pathOf =
    name:
    if secrets == "agenix" then
      config.age.secrets.${name}.path
    else if secrets == "sops" then
      config.sops.secrets.${name}.path
    else
      null;

  # Declares secrets: by name, the sealed file and the owner. An option that no module declares may
  # not even be set conditionally, hence the look at which there are.
  declare =
    files:
    lib.optionalAttrs (options ? age) {
      age.secrets = lib.mkIf (secrets == "agenix") (
        lib.mapAttrs (
          _:
          { file, owner }:
          {
            inherit file owner;
            group = owner;
            mode = "0400";
          }
        ) files
      );
    }
    // lib.optionalAttrs (options ? sops) {
      sops.secrets = lib.mkIf (secrets == "sops") (
        lib.mapAttrs (
          _:
          { file, owner }:
          {
            sopsFile = file;
            # Whatever a file is called, its whole content is the secret.
            format = "binary";
            inherit owner;
            group = owner;
            mode = "0400";
          }
        ) files
      );
    };

  # What has to hold for that.
  assertions = [
    {
      assertion = secrets != "agenix" || options ? age;
      message = "services.offsite.secrets is \"agenix\": import agenix's NixOS module";
    }
    {
      assertion = secrets != "sops" || options ? sops;
      message = "services.offsite.secrets is \"sops\": import sops-nix's NixOS module";
    }
  ];
}
