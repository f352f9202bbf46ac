# As much of nixpkgs' library as the modules use: the same names, arguments and results.
let
  inherit (builtins)
    attrNames
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    hasAttr
    head
    isAttrs
    isBool
    isFloat
    isInt
    isList
    isString
    length
    listToAttrs
    map
    mapAttrs
    match
    toJSON
    ;
in
rec {
  inherit
    attrNames
    concatMap
    concatStringsSep
    filter
    head
    listToAttrs
    map
    mapAttrs
    ;
  types = import ./types.nix { inherit lib; };
  lib = import ./lib.nix;
  inherit (import ./modules.nix { inherit lib; }) evalModules mergeDefinitions;

  # Options and their definitions.
  mkOption = attrs: attrs // { _type = "option"; };
  mkEnableOption =
    what:
    mkOption {
      type = types.bool;
      default = false;
      description = "Whether to enable ${what}.";
    };
  mkPackageOption =
    pkgs: name: _:
    mkOption {
      type = types.package;
      default = pkgs.${name};
      description = "The ${name} package to use.";
    };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  literalExpression = text: {
    _type = "literalExpression";
    inherit text;
  };

  # Lists.
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: list: if condition then list else [ ];
  last = list: builtins.elemAt list (length list - 1);
  flatten = value: if isList value then concatMap flatten value else [ value ];
  subtractLists = without: filter (value: !(elem value without));
  imap0 = f: list: builtins.genList (n: f n (builtins.elemAt list n)) (length list);

  # Attribute sets.
  nameValuePair = name: value: { inherit name value; };
  optionalAttrs = condition: attrs: if condition then attrs else { };
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  mapAttrsToList = f: attrs: map (name: f name attrs.${name}) (attrNames attrs);
  mapAttrs' = f: attrs: listToAttrs (mapAttrsToList f attrs);
  filterAttrs = keep: attrs: listToAttrs (concatMap (name: optional (keep name attrs.${name}) (nameValuePair name attrs.${name})) (attrNames attrs));
  recursiveUpdate =
    left: right:
    left
    // mapAttrs (
      name: value:
      if isAttrs value && isAttrs (left.${name} or null) then recursiveUpdate left.${name} value else value
    ) right;
  importJSON = path: builtins.fromJSON (builtins.readFile path);

  # Text.
  optionalString = condition: text: if condition then text else "";
  concatMapStrings = f: list: concatStringsSep "" (map f list);
  concatMapStringsSep = separator: f: list: concatStringsSep separator (map f list);
  concatLines = concatMapStrings (line: line + "\n");
  splitString = separator: text: filter isString (builtins.split (escapeRegex separator) text);
  escapeRegex = builtins.replaceStrings [ "." "$" "*" "+" ] [ "\\." "\\$" "\\*" "\\+" ];
  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      rest = builtins.stringLength text - builtins.stringLength suffix;
    in
    rest >= 0 && builtins.substring rest (-1) text == suffix;
  toInt =
    text: if match "[0-9]+" text != null then builtins.fromJSON text else throw "not a number: ${text}";
  escapeShellArg =
    value:
    let
      text = toString value;
    in
    if match "[[:alnum:],._+:@%/-]+" text != null then
      text
    else
      "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  toShellVars =
    attrs: concatStringsSep "\n" (mapAttrsToList (name: value: "${name}=${escapeShellArg value}") attrs);

  # Packages.
  makeBinPath = concatMapStringsSep ":" (package: "${package}/bin");
  getExe = package: "${package}/bin/${package.meta.mainProgram}";
  fileset = {
    unions = paths: map (path: assert builtins.pathExists path; path) paths;
    toSource =
      { root, fileset }:
      {
        outPath = toString root;
        paths = map toString fileset;
      };
  };
  licenses.mit = "MIT";
}
