/// `/etc/ld.so.cache`, which tells where the dynamic linker finds libraries. Parsed from its bytes; ldconfig is never run.
import EnvCore

/// The content of a linker cache in the format `glibc-ld.so.cache1.1` (glibc, sysdeps/generic/dl-cache.h), alone or behind the older
/// `ld.so-1.7.0`.
public struct LinkerCache: Sendable {
  /// One name and the file it leads to.
  public struct Library: Sendable, Hashable {
    /// Such as `libcuda.so.1`.
    public let name: String
    /// Absolute.
    public let path: String
    public let is64Bit: Bool
  }

  public let libraries: [Library]

  private static let oldMagic = Array("ld.so-1.7.0\0".utf8)
  private static let magic = Array("glibc-ld.so.cache1.1".utf8)
  private static let headerSize = 48
  private static let entrySize = 24
  private static let littleEndian: UInt8 = 2

  /// Flags of 64-bit architectures (glibc, `FLAG_X8664_LIB64`, `FLAG_S390_LIB64`, `FLAG_POWERPC_LIB64`, `FLAG_AARCH64_LIB64`,
  /// `FLAG_RISCV_FLOAT_ABI_DOUBLE`).
  private static let wide: Set<UInt32> = [0x0300, 0x0400, 0x0500, 0x0a00, 0x1000]

  /// - Throws: `GPUError.malformedLinkerCache` for other formats and for tables that do not fit into the file.
  public init(_ bytes: [UInt8]) throws(GPUError) {
    var start = 0
    if bytes.starts(with: Self.oldMagic) {
      let count = try Self.word(bytes, Self.oldMagic.count)
      // Its entries have 12 bytes; the newer table follows at the next multiple of eight.
      start = (Self.oldMagic.count + 4 + Int(count) * 12 + 7) & ~7
    }
    guard start + Self.headerSize <= bytes.count, bytes[start...].starts(with: Self.magic) else {
      throw .malformedLinkerCache(reason: "it does not begin with glibc-ld.so.cache1.1")
    }
    let flags = bytes[start + 28]
    guard flags == 0 || flags & 3 == Self.littleEndian else { throw .malformedLinkerCache(reason: "it is of a big-endian machine") }
    let count = Int(try Self.word(bytes, start + 20))
    let textSize = Int(try Self.word(bytes, start + 24))
    guard start + Self.headerSize + count * Self.entrySize + textSize <= bytes.count else {
      throw .malformedLinkerCache(reason: "it says it has \(count) entries and is too short for them")
    }
    var libraries: [Library] = []
    libraries.reserveCapacity(count)
    for index in 0..<count {
      let entry = start + Self.headerSize + index * Self.entrySize
      let flags = try Self.word(bytes, entry)
      // The kind ELF, of any C library; extensions and a.out have other numbers.
      guard flags & 0xff == 1 || flags & 0xff == 3 else { continue }
      let name = try Self.text(bytes, start + Int(try Self.word(bytes, entry + 4)))
      let path = try Self.text(bytes, start + Int(try Self.word(bytes, entry + 8)))
      libraries.append(Library(name: name, path: path, is64Bit: Self.wide.contains(flags & 0xff00)))
    }
    self.libraries = libraries
  }

  private static func word(_ bytes: [UInt8], _ offset: Int) throws(GPUError) -> UInt32 {
    guard offset + 4 <= bytes.count else { throw .malformedLinkerCache(reason: "it ends in the middle of a number") }
    return (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
  }

  private static func text(_ bytes: [UInt8], _ offset: Int) throws(GPUError) -> String {
    guard offset < bytes.count, let end = bytes[offset...].firstIndex(of: 0) else {
      throw .malformedLinkerCache(reason: "a name lies outside of it")
    }
    return String(decoding: bytes[offset..<end], as: UTF8.self)
  }
}
