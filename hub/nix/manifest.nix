# What the modules know of the stack: the bundle's offsite.json, or where that is sealed, the few
# facts that are needed before it can be opened. Evaluation ends with a plain message where it is
# not what these modules read.
{ lib }:
offsite:
let
  known = 1;
  inherit (offsite) manifest facts;

  read =
    let
      content = builtins.fromJSON (builtins.readFile manifest);
      version = content.version or null;
    in
    if !builtins.pathExists manifest then
      throw "services.offsite.manifest: there is no ${toString manifest}. Let `pulumi up` write the bundle, or give services.offsite.facts where the manifest is sealed (seal.manifest)"
    else if version != known then
      throw "services.offsite.manifest: ${toString manifest} has version ${builtins.toJSON version}, these modules read version ${toString known}. Use the fort-offsite that wrote it"
    else
      content;

  fromManifest = {
    sealed = false;
    file = "${manifest}";
    hub = {
      guestRepositories = null;
    }
    // read.hub;
    hosts = lib.mapAttrs (_: host: { inherit (host) repository environment; }) read.hosts;
    targets = lib.mapAttrs (_: target: { inherit (target) type; }) read.targets;
    guests = lib.mapAttrs (_: guest: { inherit (guest) maxSizeGiB repository; }) (read.guests or { });
  };

  suffix =
    {
      agenix = ".age";
      sops = ".sops";
      none = "";
    }
    .${offsite.secrets};

  fromFacts = {
    sealed = true;
    file = null;
    inherit (facts) hub;
    hosts = lib.genAttrs facts.hosts (host: {
      # The host's own file of the bundle says it at run time.
      repository = null;
      environment = "hosts/${host}.env${suffix}";
    });
    targets = lib.mapAttrs (_: type: { inherit type; }) facts.targets;
    guests = lib.mapAttrs (_: maxSizeGiB: {
      inherit maxSizeGiB;
      repository = null;
    }) facts.guests;
  };
in
if facts != null then
  fromFacts
else if manifest != null then
  fromManifest
else
  throw "services.offsite.bundle: not set. Give the directory that `pulumi up` writes (seal.directory), or services.offsite.manifest"
