/// The smallest program there is to start in a container: it proves that a runtime works, whatever image is at hand.

/// A static ELF executable that ends with a status of its own (System V ABI, "ELF Header" and "Program Header").
enum ProbeProgram {
  /// A status no runtime ends with by itself.
  static let exitStatus: Int32 = 42

  #if arch(x86_64)
    private static let machine: UInt16 = 62
    // mov edi, 42; mov eax, 231 (exit_group); syscall
    private static let code: [UInt8] = [0xbf, 42, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05]
  #else
    private static let machine: UInt16 = 183
    // mov x0, #42; mov x8, #94 (exit_group); svc #0
    private static let code: [UInt8] = [0x40, 0x05, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4]
  #endif

  /// The file's bytes: header, one loadable segment, code.
  static var bytes: [UInt8] {
    let loadAddress: UInt64 = 0x40_0000
    let headerSize: UInt64 = 64 + 56
    let size = headerSize + UInt64(code.count)
    // 64-bit, little-endian, version 1, System V.
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8)
    file += little(2 as UInt16) + little(machine) + little(1 as UInt32)
    file += little(loadAddress + headerSize) + little(64 as UInt64) + little(0 as UInt64)
    file += little(0 as UInt32) + little(64 as UInt16) + little(56 as UInt16) + little(1 as UInt16)
    file += little(0 as UInt16) + little(0 as UInt16) + little(0 as UInt16)
    // PT_LOAD, readable and executable, the whole file.
    file += little(1 as UInt32) + little(5 as UInt32) + little(0 as UInt64) + little(loadAddress) + little(loadAddress)
    file += little(size) + little(size) + little(0x1000 as UInt64)
    return file + code
  }

  private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value($0 * 8)) }
  }
}
