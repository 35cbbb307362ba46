/// Specifications that the host has outgrown: they name files that are gone, or libraries of a driver that is not loaded.
import CDI
import EnvCatalog
import EnvCore
import SafeFS

extension GPUPreflight {
  /// Compares what a file would bring into the container with the host (podman #26233, nvidia-container-toolkit #856).
  func staleness(_ file: CDIRegistry.File) throws(GPUError) -> [PreflightFinding] {
    let edits = edits(of: file)
    var findings: [PreflightFinding] = []
    let missing = try lookingAtHost { () throws(FileSystemError) in
      var missing: [String] = []
      for path in Self.paths(edits) where try !inventory.host.exists(path) { missing.append(path) }
      return missing
    }
    let hint = "write the specification anew, with `nvidia-ctk cdi generate` or `envctl gpu spec`"
    if let first = missing.first {
      findings.append(
        PreflightFinding(
          .staleSpecification, expression: file.path, wanted: first + (missing.count > 1 ? " and \(missing.count - 1) more" : ""),
          found: "nothing there", hint: hint))
    }
    if file.spec.kind == NVIDIAHost.kind, let running = inventory.nvidia?.driver {
      let named = Set(edits.mounts.compactMap { DriverLibraries.version(of: $0.hostPath, library: nil) })
      if !named.isEmpty, !named.contains(running) {
        findings.append(
          PreflightFinding(
            .staleSpecification, expression: file.path, wanted: "libraries of the running driver \(running)",
            found: "libraries of \(named.sorted().map(\.description).joined(separator: " and "))", hint: hint))
      }
    }
    return findings
  }

  private func edits(of file: CDIRegistry.File) -> ContainerEdits {
    var edits = file.spec.edits
    for device in selection.devices where device.kind == file.spec.kind {
      if let own = file.spec[device.name] { edits.append(own.edits) }
    }
    return edits
  }

  /// Everything that has to be on the host. Device nodes are not among them: choosing the devices has looked at each.
  private static func paths(_ edits: ContainerEdits) -> [String] {
    var seen: Set<String> = []
    return (edits.mounts.filter(\.isBind).map(\.hostPath) + edits.hooks.map(\.path)).filter { seen.insert($0).inserted }
  }
}
