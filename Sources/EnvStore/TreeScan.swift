/// What an unpacked tree holds now, for writing its manifest and for proving it later.
import EnvCore
import Hashing
import SafeFS
import SystemPackage

/// One difference between a layer's manifest and the files on the disk.
public struct FileDifference: Sendable, Equatable, Codable, CustomStringConvertible {
  /// Absolute path inside the layer.
  public let path: String
  /// What differs: `content`, `mode`, `owner`, `type`, `link target`, `time`, `extended attributes`, `missing`, `unexpected`.
  public let property: String
  public let expected: String?
  public let actual: String?

  public var description: String {
    switch (expected, actual) {
    case (let expected?, let actual?): "\(path): \(property) expected \(expected), found \(actual)"
    default: "\(path) is \(property)"
    }
  }
}

enum TreeScan {
  /// Hands out the record of every file below `root` and returns the tree's stamp; `digest` says what a regular file's content is.
  ///
  /// - Throws: `PathError.tooLong` for a tree deeper than its files can be named: links in a layer may lead its entries down there. The
  ///   folders below are not entered.
  static func records(
    _ root: FilePath, digest: (borrowing TreeNode) throws -> Digest?, _ receive: (FileRecord) throws -> Void
  ) throws -> TreeStamp {
    var stamp = TreeStamp.Builder()
    try FileSystem.walk(root) { node in
      guard node.path.utf8.count <= RelativePath.longest else { throw PathError.tooLong(String(node.path.prefix(60))) }
      stamp.add(node)
      try receive(try record(node, digest: digest))
    }
    return stamp.finish()
  }

  private static func record(_ node: borrowing TreeNode, digest: (borrowing TreeNode) throws -> Digest?) throws -> FileRecord {
    let status = node.status
    let isDevice = status.kind == .characterDevice || status.kind == .blockDevice
    return FileRecord(
      path: node.path, kind: status.kind, permissions: status.permissions, uid: status.uid, gid: status.gid,
      size: status.kind == .file ? status.size : 0, modified: status.modified,
      // A folder's link count depends on the file system, so it says nothing about the layer.
      linkCount: status.kind == .directory ? 1 : status.linkCount,
      digest: status.kind == .file ? try digest(node) : nil,
      linkTarget: status.kind == .symlink ? try node.linkTarget() : nil,
      device: isDevice ? "\(status.device.major),\(status.device.minor)" : nil,
      extendedAttributes: try node.extendedAttributes().filter { isOfLayer($0.key) }.mapValues(hex))
  }

  /// Everything in which the tree at `root` differs from `manifest`, in the order of the paths. Reads every byte.
  static func differences(
    _ root: FilePath, from manifest: FileManifest, width: Int, isCancelled: @escaping @Sendable () -> Bool = { false }
  ) throws -> [FileDifference] {
    guard FileSystem.exists(root) else { return [FileDifference(path: "/", property: "missing", expected: nil, actual: nil)] }
    var actual: [FileRecord] = []
    _ = try records(root, digest: { _ in nil }) { actual.append($0) }
    let expected = Dictionary(try manifest.records.map { (try RelativePath($0.path), $0) }) { first, _ in first }
    let perFile = try concurrentMap(chunks(actual), width: width) { chunk in
      var folder = try RootDirectory(root)
      return try chunk.flatMap { record in
        if isCancelled() { throw CancellationError() }
        let path = try RelativePath(record.path)
        return try difference(record, expected[path], at: path, in: &folder)
      }
    }
    let found = try missing(expected, in: actual) + perFile.flatMap { $0 }
    return found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private static func missing(_ expected: [RelativePath: FileRecord], in actual: [FileRecord]) throws -> [FileDifference] {
    let present = Set(try actual.map { try RelativePath($0.path) })
    return expected.keys.filter { !present.contains($0) }.map {
      FileDifference(path: $0.description, property: "missing", expected: nil, actual: nil)
    }
  }

  private static func difference(
    _ actual: FileRecord, _ expected: FileRecord?, at relative: RelativePath, in root: inout RootDirectory
  ) throws -> [FileDifference] {
    let path = relative.description
    guard let expected else { return [FileDifference(path: path, property: "unexpected", expected: nil, actual: nil)] }
    var found: [FileDifference] = []
    func compare(_ property: String, _ expected: String, _ actual: String) {
      if !expected.utf8.elementsEqual(actual.utf8) {
        found.append(FileDifference(path: path, property: property, expected: expected, actual: actual))
      }
    }
    compare("type", expected.kind.mtreeName, actual.kind.mtreeName)
    compare("mode", String(expected.permissions, radix: 8), String(actual.permissions, radix: 8))
    compare("owner", "\(expected.uid):\(expected.gid)", "\(actual.uid):\(actual.gid)")
    compare("link target", expected.linkTarget ?? "", actual.linkTarget ?? "")
    compare("device", expected.device ?? "", actual.device ?? "")
    compare("link count", String(expected.linkCount), String(actual.linkCount))
    compare("extended attributes", text(expected.extendedAttributes), text(actual.extendedAttributes))
    if actual.kind == .file, expected.kind == .file, let digest = expected.digest {
      compare("content", digest.description, try contentDigest(relative, in: &root).description)
    }
    if found.isEmpty { compare("time", String(expected.modified), String(actual.modified)) }
    return found
  }

  private static func contentDigest(_ path: RelativePath, in root: inout RootDirectory) throws -> Digest {
    var hasher = SHA256Hasher()
    try root.openFile(path).forEachChunk { hasher.update($0) }
    return hasher.finish()
  }

  /// Runs of consecutive files with about the same number of bytes, so that threads finish together.
  private static func chunks(_ records: [FileRecord]) -> [[FileRecord]] {
    var chunks: [[FileRecord]] = [[]]
    var bytes: Int64 = 0
    for record in records {
      chunks[chunks.count - 1].append(record)
      bytes += record.size + 4096
      if bytes > 16 << 20 {
        chunks.append([])
        bytes = 0
      }
    }
    return chunks
  }

  private static func text(_ attributes: [String: String]) -> String {
    attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
  }

  /// Labels of a security module belong to the host, not to the layer.
  private static func isOfLayer(_ name: String) -> Bool { name != "security.selinux" }

  private static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
