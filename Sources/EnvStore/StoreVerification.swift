/// The proof that what lies in the store is what its digests say: every byte is read, no seal is trusted.
import EnvCore
import SafeFS
import SystemPackage

/// The outcome of a verification.
public struct VerificationReport: Sendable, Codable {
  /// One thing that is not what it should be.
  public struct Finding: Sendable, Codable {
    /// What is damaged, such as `blob sha256:…` or `layer sha256:…`.
    public let object: String
    /// Inside a layer, the file.
    public let path: String?
    /// What differs: `content`, `mode`, `missing` …
    public let property: String
    public let expected: String?
    public let actual: String?
    /// Whether the damaged object was removed, so that the next command makes it anew.
    public let isDropped: Bool
  }

  public var blobs = 0
  public var layers = 0
  public var files = 0
  /// Bytes read.
  public var bytes: Int64 = 0
  public var findings: [Finding] = []
}

extension Store {
  /// Reads every blob and every unpacked file and compares them with their digests.
  ///
  /// - Parameters:
  ///   - repairing: Removes damaged blobs and layers; layers are unpacked again, blobs fetched or built again, by the next command.
  ///   - layersInUse: Layers that containers have mounted now; they are reported and stay, since removing files under a mount would do
  ///     more damage than there is.
  public func verify(
    repairing: Bool, layersInUse: Set<Digest> = [], progress: @escaping @Sendable (StageProgress) -> Void
  ) throws -> VerificationReport {
    var report = VerificationReport()
    let blobs = try FileSystem.list(home.appending("blobs/sha256"))
    let layers = try FileSystem.list(layersFolder)
    let total = Int64(blobs.count + layers.count)
    for name in blobs {
      try verifyBlob(name, repairing: repairing, into: &report)
      progress(StageProgress(object: "blob \(name.prefix(12))", done: Int64(report.blobs), total: total, isBytes: false))
    }
    for name in layers {
      try verifyLayer(name, repairing: repairing, layersInUse: layersInUse, into: &report)
      progress(StageProgress(object: "layer \(name.prefix(12))", done: Int64(report.blobs + report.layers), total: total, isBytes: false))
    }
    return report
  }

  private func verifyBlob(_ name: String, repairing: Bool, into report: inout VerificationReport) throws {
    report.blobs += 1
    let path = home.appending("blobs/sha256").appending(name)
    guard let digest = try? Digest(hex: name) else {
      if repairing { try FileSystem.removeTree(path) }
      report.add(object: "'\(path)'", path: nil, property: "unexpected", expected: nil, actual: nil, isDropped: repairing)
      return
    }
    report.bytes += try FileSystem.status(path)?.size ?? 0
    do {
      try prove(digest, at: path, object: "blob")
    } catch StoreError.digestMismatch(_, let expected, let actual, _) {
      if repairing { try removeBlob(digest) }
      report.add(
        object: "blob \(digest)", path: nil, property: "content", expected: "\(expected)", actual: "\(actual)", isDropped: repairing)
    } catch let error as FileSystemError where error.isDamage {
      if repairing { try removeBlob(digest) }
      report.add(object: "blob \(digest)", path: nil, property: error.summary, expected: nil, actual: nil, isDropped: repairing)
    }
  }

  private func verifyLayer(
    _ name: String, repairing: Bool, layersInUse: Set<Digest>, into report: inout VerificationReport
  ) throws {
    report.layers += 1
    let folder = layersFolder.appending(name)
    guard let digest = try? Digest(hex: name) else {
      if repairing { try FileSystem.removeTree(folder) }
      report.add(object: "'\(folder)'", path: nil, property: "unexpected", expected: nil, actual: nil, isDropped: repairing)
      return
    }
    // Held until the layer is gone, so that nobody begins to use it meanwhile.
    let claim = repairing ? try FileLock.attempt(usePath(digest)) : nil
    defer { withExtendedLifetime(claim) {} }
    let repairing = claim != nil && !layersInUse.contains(digest)
    do {
      let manifest = try FileManifest.read(in: folder)
      report.files += manifest.records.count
      report.bytes += manifest.records.reduce(0) { $0 + $1.size }
      let differences = try TreeScan.differences(folder.appending("fs"), from: manifest, width: 2)
      for difference in differences {
        report.add(
          object: "layer \(digest)", path: difference.path, property: difference.property, expected: difference.expected,
          actual: difference.actual, isDropped: repairing)
      }
      if repairing, !differences.isEmpty { try dropLayer(digest) }
    } catch let error as any Diagnostic where (error as? FileSystemError)?.isDamage ?? true {
      // Whatever it is, it is of this layer, and the others are to be looked at all the same.
      if repairing { try dropLayer(digest) }
      report.add(object: "layer \(digest)", path: nil, property: error.summary, expected: nil, actual: nil, isDropped: repairing)
    }
  }

  /// Takes the layer out of sight with one rename before its many files go, so that nobody mounts half a layer.
  private func dropLayer(_ diffID: Digest) throws {
    let grave = try temporaryPath("dropped")
    try FileSystem.rename(layerPath(diffID), to: grave)
    try FileSystem.removeTree(grave)
  }
}

extension FileSystemError {
  /// Whether the error says something about the stored files, and not about this process or the disk: too many open files are no damage.
  fileprivate var isDamage: Bool {
    [.noSuchFileOrDirectory, .notDirectory, .isDirectory, .tooManySymbolicLinkLevels, .noSuchAddressOrDevice, .fileNameTooLong]
      .contains(errno)
  }
}

extension VerificationReport {
  fileprivate mutating func add(object: String, path: String?, property: String, expected: String?, actual: String?, isDropped: Bool) {
    findings.append(
      Finding(object: object, path: path, property: property, expected: expected, actual: actual, isDropped: isDropped))
  }
}
