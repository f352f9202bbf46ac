# The module system's types: what a definition must be, and how several become one.
{ lib }:
let
  inherit (builtins)
    all
    any
    concatLists
    elem
    head
    isAttrs
    isBool
    isFloat
    isInt
    isList
    isPath
    isString
    length
    substring
    toJSON
    ;

  plain = name: check: {
    inherit name check;
    merge =
      loc: values:
      if all (value: value == head values) values then
        head values
      else
        throw "The option `${lib.concatStringsSep "." loc}' has conflicting definitions: ${toJSON values}";
  };
  isNumber = value: isInt value || isFloat value;
  isDerivation = value: isAttrs value && value ? outPath;
in
rec {
  str = plain "string" isString;
  bool = plain "boolean" isBool;
  int = plain "integer" isInt;
  ints.unsigned = plain "unsigned integer" (value: isInt value && value >= 0);
  ints.positive = plain "positive integer" (value: isInt value && value > 0);
  port = plain "port" (value: isInt value && value >= 0 && value < 65536);
  numbers.nonnegative = plain "nonnegative number" (value: isNumber value && value >= 0);
  numbers.positive = plain "positive number" (value: isNumber value && value > 0);
  strMatching =
    pattern: plain "string matching ${pattern}" (value: isString value && builtins.match pattern value != null);
  path = plain "absolute path" (
    value: isPath value || isDerivation value || (isString value && substring 0 1 value == "/")
  );
  package = plain "package" isDerivation;
  enum = values: plain "one of ${toJSON values}" (value: elem value values);

  lines = {
    name = "lines";
    check = isString;
    merge = _: lib.concatStringsSep "\n";
  };

  nullOr = type: {
    name = "null or ${type.name}";
    check = value: value == null || type.check value;
    merge =
      loc: values:
      if all (value: value == null) values then
        null
      else if any (value: value == null) values then
        throw "The option `${lib.concatStringsSep "." loc}' is both null and not null"
      else
        type.merge loc values;
  };

  oneOf =
    types:
    plain (lib.concatMapStringsSep " or " (type: type.name) types) (
      value: any (type: type.check value) types
    );

  listOf = type: {
    name = "list of ${type.name}";
    check = isList;
    merge =
      loc: lists:
      concatLists (
        lib.imap0 (
          n: value: (lib.mergeDefinitions (loc ++ [ "[${toString n}]" ]) type [ value ]).values
        ) (concatLists lists)
      );
  };
  nonEmptyListOf = type: listOf type // { check = value: isList value && value != [ ]; };

  attrsOf = type: {
    name = "attribute set of ${type.name}";
    check = isAttrs;
    merge =
      loc: sets:
      let
        names = lib.attrNames (builtins.foldl' (all: set: all // set) { } sets);
        merged = name: lib.mergeDefinitions (loc ++ [ name ]) type (
          lib.concatMap (set: lib.optional (set ? ${name}) set.${name}) sets
        );
      in
      lib.listToAttrs (
        lib.concatMap (
          name:
          let
            result = merged name;
          in
          map (lib.nameValuePair name) result.values
        ) names
      );
  };

  submodule = module: {
    name = "submodule";
    check = value: isAttrs value || builtins.isFunction value;
    merge =
      loc: values:
      (lib.evalModules {
        modules = [ module ] ++ map (config: { inherit config; }) values;
        specialArgs.name = lib.last loc;
        prefix = loc;
      }).config;
  };

  anything = {
    name = "anything";
    check = _: true;
    merge =
      loc: values:
      if all (value: isAttrs value && !(isDerivation value)) values then
        (attrsOf anything).merge loc values
      else
        (plain "anything" (_: true)).merge loc values;
  };

  # A setting of a unit: several definitions become one list where all are lists.
  unitOption =
    let
      atom = oneOf [
        bool
        int
        str
        path
      ];
    in
    {
      name = "systemd option";
      check = value: atom.check value || (isList value && all atom.check value);
      merge =
        loc: values:
        if all isList values then concatLists values else (plain "systemd option" (_: true)).merge loc values;
    };
}
