/// The proof of everything in the store.
import EnvCore
import EnvLaunch
import EnvStore
import SystemPackage

extension Workbench {
  /// Reads every blob and every unpacked file. Damage is in the report's findings; nothing is thrown for it.
  public func verifyStore(repairing: Bool) throws -> VerificationReport {
    try reporter.stage("verify") { progress in
      let used = repairing ? try layersInUse() : []
      let report = try store.verify(repairing: repairing, layersInUse: used, progress: progress)
      let findings = report.findings.isEmpty ? "all as recorded" : "\(report.findings.count) not as recorded"
      return (report, "\(report.blobs) blobs, \(report.layers) layers, \(report.files) files, \(ByteCount(report.bytes)): \(findings)")
    }
  }

  private func layersInUse() throws -> Set<Digest> {
    let running = try ContainerLauncher(home: store.home).list().filter { $0.state != .stopped }
    return Set(running.flatMap(\.workspace.image.layers).compactMap { store.layerKey(at: FilePath($0)) })
  }
}
