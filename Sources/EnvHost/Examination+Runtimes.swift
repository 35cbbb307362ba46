/// Runtimes and what is known against their versions.
import EnvCatalog

extension Examination {
  /// A vulnerability by which a container could reach the host.
  private struct Vulnerability {
    let identifier: String
    let program: String
    /// The first version of each series that has the mend, as the project's security advisories name them.
    let fixed: [String]
    let summary: String
  }

  private static let vulnerabilities = [
    Vulnerability(
      identifier: "CVE-2019-5736", program: "runc", fixed: ["1.0.0"], summary: "a container can overwrite the runtime on the host"),
    Vulnerability(
      identifier: "CVE-2024-21626", program: "runc", fixed: ["1.1.12"], summary: "a leaked descriptor leads out of the container"),
    Vulnerability(
      identifier: "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881", program: "runc", fixed: ["1.2.8", "1.3.3", "1.4.0"],
      summary: "races with masked paths and /proc lead out of the container"),
    Vulnerability(
      identifier: "CVE-2022-27650", program: "crun", fixed: ["1.4.4"], summary: "processes get inheritable capabilities"),
  ]

  static func runtimes(_ host: HostFacts) -> [Finding] {
    guard !host.runtimes.isEmpty else {
      return [
        Finding(
          "runtime", .problem, "neither crun nor runc is installed", meaning: "nothing can start a container", mend: "apt install runc")
      ]
    }
    let isAlone = host.runtimes.count == 1
    return host.runtimes.flatMap { runtime in
      guard runtime.name == "crun", host.cgroupMode == .hybrid else { return findings(runtime) }
      // Seen with 1.8.1 on Linux 6.18: "cgroups in hybrid mode not supported".
      let refusal = Finding(
        "runtime", isAlone ? .problem : .note, "crun refuses hybrid cgroups",
        meaning: isAlone ? "nothing can start a container" : "another runtime is taken", mend: isAlone ? "apt install runc" : nil)
      return [refusal] + findings(runtime)
    }
  }

  private static func findings(_ runtime: HostFacts.Runtime) -> [Finding] {
    let name = runtime.name + (runtime.version.map { " \($0)" + (runtime.isCandidate ? " (release candidate)" : "") } ?? "")
    guard let version = runtime.version else {
      return [Finding("runtime", .note, "\(name) at \(runtime.path)", meaning: "its version could not be learnt")]
    }
    let open = vulnerabilities.filter { $0.program == runtime.name && !isFixed(version, runtime.isCandidate, $0.fixed) }
    guard !open.isEmpty else { return [Finding("runtime", .ok, "\(name) at \(runtime.path)")] }
    // A distribution mends without a new number; which mends its package has, only its changelog tells.
    let package = runtime.package
    return open.map { item in
      Finding(
        "runtime", package == nil ? .warning : .note,
        "\(name) is older than \(item.fixed.joined(separator: " / ")), which mends \(item.identifier)",
        meaning: item.summary
          + (package.map { "; package \($0) may have the mend all the same" } ?? "; do not run images you do not trust"),
        mend: package == nil
          ? "install \(item.fixed.last ?? "a newer one") or newer"
          : "look at the package's changelog, or install \(item.fixed.last ?? "a newer one")")
    }
  }

  /// Whether the version has the mend: it is in a series that got one and not older, or of a later series than all of them.
  private static func isFixed(_ version: Version, _ isCandidate: Bool, _ fixed: [String]) -> Bool {
    let fixes = fixed.compactMap { Version(parsing: $0) }
    let own = fixes.first { $0.components.prefix(2) == version.components.prefix(2) }
    if let own { return isCandidate ? version > own : version >= own }
    return fixes.allSatisfy { version > $0 }
  }
}
