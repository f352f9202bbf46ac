"use strict";
Object.assign(
    exports,
    require("@pulumi/pulumi/config"),
    require("@pulumi/pulumi/output"),
    require("@pulumi/pulumi/resource"),
    { runtime: { ...require("@pulumi/pulumi/runtime/invoke"), ...require("@pulumi/pulumi/runtime/rpc") } },
);
