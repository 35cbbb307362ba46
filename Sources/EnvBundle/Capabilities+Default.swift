/// The capabilities a container's root has by default.

extension RuntimeSpec.Capabilities {
  /// Docker's default set (docs.docker.com/engine/containers/run, "Runtime privilege and Linux capabilities"): enough to install packages and
  /// change owners inside, nothing over the host.
  public static let standardNames = [
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
  ]

  /// The sets of a process that runs as `uid`: an ordinary user has none in effect. None is inheritable (CVE-2022-24769).
  public static func standard(uid: UInt32) -> RuntimeSpec.Capabilities {
    let held = uid == 0 ? standardNames : []
    return RuntimeSpec.Capabilities(bounding: standardNames, effective: held, permitted: held)
  }
}
