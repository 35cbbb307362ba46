/// The proof of everything in the store.
import EnvCore
import EnvStore

extension Workbench {
  /// Reads every blob and every unpacked file. Damage is in the report's findings; nothing is thrown for it.
  public func verifyStore(repairing: Bool) throws -> VerificationReport {
    try reporter.stage("verify") { progress in
      let report = try store.verify(repairing: repairing, progress: progress)
      let findings = report.findings.isEmpty ? "all as recorded" : "\(report.findings.count) not as recorded"
      return (report, "\(report.blobs) blobs, \(report.layers) layers, \(report.files) files, \(ByteCount(report.bytes)): \(findings)")
    }
  }
}
