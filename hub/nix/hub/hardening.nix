# What every unit of the agent may not do. On purpose not here:
# MemoryDenyWriteExecute, which Node's compiler could not live with; PrivateUsers and
# ProtectProc=invisible, which would hide the processes that hold the agent's locks from each other;
# RemoveIPC, which at a unit's end takes what another unit of the same user has (a drill's PostgreSQL).
{
  hardening = import ../hardening.nix // {
    CapabilityBoundingSet = "";
    DevicePolicy = "closed";
    PrivateTmp = true;
    ProtectHome = true;
    RestrictSUIDSGID = true;
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter = [
      "@system-service"
      "@pkey"
      "~@privileged"
    ];
  };
}
