# Packages: folders of programs that the test has made, and files that it is told to write. What is to
# be written goes to standard error, a line of JSON each, since evaluation can do no more.
{
  lib,
  programs,
  store,
}:
let
  package = name: {
    type = "derivation";
    inherit name;
    outPath = "${programs}/${name}";
    meta.mainProgram = name;
  };
  emit =
    { name, at ? "", text, executable }:
    let
      path = "${store}/${builtins.substring 0 16 (builtins.hashString "sha256" text)}-${name}";
      file = builtins.toJSON {
        path = path + at;
        inherit text executable;
      };
    in
    {
      type = "derivation";
      inherit name;
      outPath = builtins.trace "FILE ${file}" path;
      meta.mainProgram = name;
    };
  shebang = text: "#!${programs}/bash/bin/bash\n${text}";
  known = [
    "bash"
    "coreutils"
    "curl"
    "findutils"
    "gnugrep"
    "gnused"
    "nodejs"
    "postgresql"
    "rclone"
    "restic"
    "restic-rest-server"
    "sqlite"
    "systemd"
    "util-linux"
    "zstd"
  ];
in
lib.genAttrs known package
// {
  writeText = name: text: emit { inherit name text; executable = false; };
  writeScript = name: text: emit { inherit name text; executable = true; };
  writeShellScript = name: text: emit { inherit name; text = shebang text; executable = true; };
  writeShellScriptBin = name: text: emit { inherit name; at = "/bin/${name}"; text = shebang text; executable = true; };
}
