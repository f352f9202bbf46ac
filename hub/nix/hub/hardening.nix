# What every unit of the agent may not do. On purpose not here:
# MemoryDenyWriteExecute, which Node's compiler could not live with; PrivateUsers and
# ProtectProc=invisible, which would hide the processes that hold the agent's locks from each other;
# RemoveIPC, which at a unit's end takes what another unit of the same user has (a drill's PostgreSQL).
{
  hardening = {
    CapabilityBoundingSet = "";
    DevicePolicy = "closed";
    LockPersonality = true;
    NoNewPrivileges = true;
    PrivateDevices = true;
    PrivateTmp = true;
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectSystem = "strict";
    RestrictAddressFamilies = [
      "AF_INET"
      "AF_INET6"
      "AF_UNIX"
    ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter = [
      "@system-service"
      "@pkey"
      "~@privileged"
    ];
  };
}
