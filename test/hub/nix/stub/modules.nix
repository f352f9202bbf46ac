# The module system: declarations and definitions of many modules become one configuration. An option
# that nobody declares, a value of the wrong type and a conflict end the evaluation.
{ lib }:
let
  inherit (builtins)
    isAttrs
    isFunction
    isPath
    isString
    ;
  show = lib.concatStringsSep ".";

  # A definition without mkIf, mkMerge and mkForce around it: values with their priorities.
  discharge =
    value:
    if isAttrs value && value ? _type then
      {
        "if" = lib.optionals value.condition (discharge value.content);
        merge = lib.concatMap discharge value.contents;
        override = map (each: each // { inherit (value) priority; }) (discharge value.content);
      }
      .${value._type} or [ (plainly value) ]
    else
      [ (plainly value) ];
  plainly = value: {
    priority = 100;
    inherit value;
  };

  mergeDefinitions =
    loc: type: definitions:
    let
      all = lib.concatMap discharge definitions;
      strongest = builtins.foldl' (least: each: if each.priority < least then each.priority else least) 10000 all;
      values = map (each: checked each.value) (builtins.filter (each: each.priority == strongest) all);
      checked =
        value:
        if type.check value then
          value
        else
          throw "A definition for option `${show loc}' is not of type `${type.name}': ${builtins.toJSON value}";
    in
    {
      # None, or the one that they come to.
      values = lib.optional (all != [ ]) (type.merge loc values);
    };

  # Conditions go down to the options, so that which options a module sets depends on nothing.
  pushDown =
    value:
    if value._type or null == "if" then
      map (builtins.mapAttrs (_: lib.mkIf value.condition)) (pushDown value.content)
    else if value._type or null == "merge" then
      lib.concatMap pushDown value.contents
    else if value._type or null == "override" then
      map (builtins.mapAttrs (_: lib.mkOverride value.priority)) (pushDown value.content)
    else
      [ value ];

  evaluate =
    loc: options: definitions:
    if options._type or null == "option" then
      let
        given = (mergeDefinitions loc options.type definitions).values;
        fallback = mergeDefinitions loc options.type [ options.default ];
        count = builtins.length (lib.concatMap discharge definitions);
      in
      if options.readOnly or false && count > 1 then
        throw "The option `${show loc}' is read-only, and is set several times"
      else if given != [ ] then
        builtins.head given
      else if options ? default then
        builtins.head fallback.values
      else
        throw "The option `${show loc}' is used but not defined"
    else
      let
        sets = lib.concatMap pushDown definitions;
        unknown = lib.filter (name: !(options ? ${name})) (lib.concatMap lib.attrNames sets);
      in
      if unknown != [ ] then
        throw "The option `${show (loc ++ [ (builtins.head unknown) ])}' does not exist"
      else
        builtins.mapAttrs (
          name: option:
          evaluate (loc ++ [ name ]) option (
            lib.concatMap (set: lib.optional (set ? ${name}) set.${name}) sets
          )
        ) options;

  isShorthand = module: !(module ? config || module ? options || module ? imports);
in
{
  inherit mergeDefinitions;

  evalModules =
    {
      modules,
      specialArgs ? { },
      prefix ? [ ],
    }:
    let
      args = specialArgs // {
        inherit lib config options;
      };
      load =
        module:
        let
          content = if isPath module || isString module then import module else module;
          value = if isFunction content then content args else content;
        in
        if isShorthand value then { config = value; } else value;
      # A module that several import counts once.
      loaded = builtins.genericClosure {
        startSet = lib.imap0 keyed modules;
        operator = { key, module }: lib.imap0 (n: keyed "${key}.${toString n}") ((load module).imports or [ ]);
      };
      keyed = n: module: {
        key = if isPath module then toString module else toString n;
        inherit module;
      };
      all = map ({ module, ... }: load module) loaded;
      options = builtins.foldl' declare { } (map (module: module.options or { }) all);
      declare =
        left: right:
        left
        // builtins.mapAttrs (
          name: value:
          if !(left ? ${name}) then
            value
          else if value._type or null == "option" then
            throw "The option `${name}' is declared twice"
          else
            declare left.${name} value
        ) right;
      config = evaluate prefix options (map (module: module.config or { }) all);
    in
    {
      inherit config options;
    };
}
