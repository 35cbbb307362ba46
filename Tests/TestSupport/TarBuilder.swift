/// Archives for tests, built in code.
import Archive
import EnvCore

/// An entry together with its content.
public struct TarItem: Sendable {
  public var entry: ArchiveEntry
  public var content: [UInt8]

  public init(_ entry: ArchiveEntry, content: [UInt8] = []) {
    self.entry = entry
    self.content = content
  }

  /// A regular file. `time` is in seconds.
  public static func file(
    _ path: String, _ text: String = "", mode: UInt32 = 0o644, uid: UInt32 = 0, gid: UInt32 = 0, time: Int64 = 1_000_000_000,
    attributes: [String: [UInt8]] = [:]
  ) -> TarItem {
    let content = Array(text.utf8)
    return TarItem(
      ArchiveEntry(
        path: path, kind: .file, permissions: mode, uid: uid, gid: gid, size: Int64(content.count), modified: time * 1_000_000_000,
        extendedAttributes: attributes), content: content)
  }

  public static func folder(_ path: String, mode: UInt32 = 0o755, uid: UInt32 = 0, time: Int64 = 1_000_000_000) -> TarItem {
    TarItem(ArchiveEntry(path: path, kind: .directory, permissions: mode, uid: uid, modified: time * 1_000_000_000))
  }

  public static func symlink(_ path: String, to target: String) -> TarItem { other(path, .symlink(target: target), mode: 0o777) }
  public static func hardlink(_ path: String, to target: String) -> TarItem { other(path, .hardlink(target: target)) }

  public static func other(_ path: String, _ kind: ArchiveEntry.Kind, mode: UInt32 = 0o644) -> TarItem {
    TarItem(ArchiveEntry(path: path, kind: kind, permissions: mode, modified: 1_000_000_000_000_000_000))
  }
}

/// Collects the bytes a writer emits.
public final class ByteSink {
  public var bytes: [UInt8] = []
  public init() {}
  public func append(_ span: RawSpan) { span.withUnsafeBytes { bytes.append(contentsOf: $0) } }
}

/// The canonical tar of `items`.
public func tar(_ items: [TarItem]) throws -> [UInt8] {
  let sink = ByteSink()
  var writer = TarWriter { sink.append($0) }
  for item in items {
    try writer.append(item.entry)
    try writer.write(item.content)
  }
  try writer.finish()
  return sink.bytes
}

/// A pull over bytes in memory that never gives more than `piece` at once.
public func pulling(_ bytes: [UInt8], piece: Int = .max) -> (inout MutableRawSpan) throws -> Int {
  var offset = 0
  return { span in
    let count = min(piece, span.byteCount, bytes.count - offset)
    span.withUnsafeMutableBytes { target in bytes[offset..<(offset + count)].withUnsafeBytes { target.copyMemory(from: $0) } }
    offset += count
    return count
  }
}
