/// By which an unpacked tree is known again without reading its files: what the kernel says of every inode in it.
import EnvCore
import Glibc
import SystemPackage

/// The inodes of a tree as they were at one moment.
///
/// Nobody but the kernel sets an inode's time of change, and every write, chmod, chown or rename does. What is added to a folder, removed from
/// it or renamed in it changes the folder's (inode(7)), so that only what is listed here has to be looked at, and no folder to be read.
public struct TreeStamp: Sendable {
  /// What `magic` says, how many files there are, and the files on the way down, siblings in the order of their bytes. Of each: depth (2 bytes),
  /// inode, size, time of modification, time of change, the name and a NUL. Numbers are little-endian, of 8 bytes but for the depth, times in
  /// nanoseconds.
  public let bytes: [UInt8]

  private static let magic = Array("envctl tree 1\n".utf8)
  private static let header = magic.count + 8
  private static let numbers = 2 + 4 * 8

  /// Collects the files of a walk.
  public struct Builder: ~Copyable {
    private var bytes = TreeStamp.magic + [UInt8](repeating: 0, count: 8)
    private var count = 0

    public init() {}

    /// Adds the next file of `FileSystem.walk`.
    public mutating func add(_ node: borrowing TreeNode) {
      let status = node.status
      count += 1
      withUnsafeBytes(of: UInt16(truncatingIfNeeded: node.depth).littleEndian) { bytes.append(contentsOf: $0) }
      for word in TreeStamp.words(status) { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
      node.withNameBytes { bytes.append(contentsOf: $0) }
    }

    public consuming func finish() -> TreeStamp {
      withUnsafeBytes(of: UInt64(count).littleEndian) { bytes.replaceSubrange(TreeStamp.magic.count..<TreeStamp.header, with: $0) }
      return TreeStamp(bytes)
    }
  }

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// One that was kept; nil for bytes that are none.
  public init?(decoding bytes: [UInt8]) {
    guard bytes.starts(with: Self.magic), bytes.count > Self.header, bytes.last == 0 else { return nil }
    self.bytes = bytes
  }

  /// The stamp of the tree at `root`.
  ///
  /// - Parameter isCancelled: Asked before each file; then the walk ends with `CancellationError`.
  public init(of root: FilePath, isCancelled: () -> Bool = { false }) throws {
    var builder = Builder()
    try FileSystem.walk(root) { node in
      if isCancelled() { throw CancellationError() }
      builder.add(node)
    }
    self = builder.finish()
  }

  /// Whether the tree at `root` is as it was: nobody has written, renamed, added or removed anything there. What cannot be looked at is not.
  ///
  /// - Parameter isCancelled: Asked before each file; then `CancellationError` is thrown.
  public func holds(for root: FilePath, isCancelled: () -> Bool = { false }) throws -> Bool {
    guard let top = try? OwnedDescriptor.directory(root) else { return false }
    // The folders on the way to the file at hand, the root first.
    var folders = [top.rawValue]
    defer {
      for folder in folders.dropFirst() { close(folder) }
      withExtendedLifetime(top) {}
    }
    return try bytes.withUnsafeBytes { bytes in
      var place = Self.header
      var count = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: Self.magic.count, as: UInt64.self))
      while place < bytes.count {
        if isCancelled() { throw CancellationError() }
        guard place + Self.numbers < bytes.count else { return false }
        let depth = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt16.self)))
        let name = UnsafeRawBufferPointer(rebasing: bytes[(place + Self.numbers)...])
        // Only the root has no name.
        guard let end = name.firstIndex(of: 0), depth <= folders.count, (depth == 0) == (end == 0) else { return false }
        while folders.count > max(depth, 1) { close(folders.removeLast()) }
        guard let folder = folders.last, let path = name.baseAddress?.assumingMemoryBound(to: CChar.self) else { return false }
        // The name ends within the buffer, and the kernel only reads it.
        var value = stat()
        let status = end == 0 ? fstat(folder, &value) : fstatat(folder, path, &value, AT_SYMLINK_NOFOLLOW)
        guard status == 0, Self.matches(FileStatus(value), bytes, at: place + 2) else { return false }
        if end > 0, value.st_mode & S_IFMT == S_IFDIR {
          let child = openat(folder, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
          guard child >= 0 else { return false }
          folders.append(child)
        }
        place += Self.numbers + end + 1
        count &-= 1
      }
      // What is cut short would hold for what it still lists.
      return count == 0
    }
  }

  private static func words(_ status: FileStatus) -> [Int64] {
    [Int64(bitPattern: status.inode), status.size, status.modified, status.changed]
  }

  private static func matches(_ status: FileStatus, _ bytes: UnsafeRawBufferPointer, at place: Int) -> Bool {
    func word(_ index: Int) -> Int64 { Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: place + 8 * index, as: Int64.self)) }
    return word(0) == Int64(bitPattern: status.inode) && word(1) == status.size && word(2) == status.modified && word(3) == status.changed
  }
}
