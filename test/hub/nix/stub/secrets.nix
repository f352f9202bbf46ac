# The options of agenix and of sops-nix that the modules set, each as its own NixOS module.
let
  secret =
    lib: directory: more:
    lib.mkOption {
      default = { };
      type = lib.types.attrsOf (
        lib.types.submodule (
          { name, lib, ... }:
          {
            options =
              {
                path = lib.mkOption {
                  type = lib.types.str;
                  default = "${directory}/${name}";
                };
                owner = lib.mkOption {
                  type = lib.types.str;
                  default = "root";
                };
                group = lib.mkOption {
                  type = lib.types.str;
                  default = "root";
                };
                mode = lib.mkOption {
                  type = lib.types.str;
                  default = "0400";
                };
              }
              // more;
          }
        )
      );
    };
in
{
  agenix =
    { lib, secretsDirectory, ... }:
    {
      options.age.secrets = secret lib secretsDirectory {
        file = lib.mkOption { type = lib.types.path; };
      };
    };
  sops =
    { lib, secretsDirectory, ... }:
    {
      options.sops.secrets = secret lib secretsDirectory {
        sopsFile = lib.mkOption { type = lib.types.path; };
        format = lib.mkOption {
          type = lib.types.enum [
            "yaml"
            "json"
            "binary"
            "dotenv"
            "ini"
          ];
          default = "yaml";
        };
      };
    };
}
