/// The linker's cache: its formats, its limits, and this machine's own against ldconfig's reading.
import EnvCore
import EnvGPU
import SafeFS
import TestSupport
import Testing

@Suite struct LinkerCacheTests {
  private let builder = LinkerCacheBuilder(entries: [
    ("libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1", 0x0303), ("libcuda.so.1", "/usr/lib32/libcuda.so.1", 0x0003),
    ("liba.so", "/usr/lib/aarch64-linux-gnu/liba.so", 0x0a03), ("not-elf", "/x", 0x0002),
  ])

  @Test(arguments: [false, true]) func entries(hasOldTable: Bool) throws {
    var builder = builder
    builder.hasOldTable = hasOldTable
    let libraries = try LinkerCache(builder.bytes).libraries
    #expect(libraries.map(\.name) == ["libcuda.so.1", "libcuda.so.1", "liba.so"])
    #expect(libraries.map(\.path).first == "/usr/lib/x86_64-linux-gnu/libcuda.so.1")
    #expect(libraries.map(\.is64Bit) == [true, false, true])
  }

  @Test func otherFilesAreRefused() {
    #expect(throws: GPUError.self) { try LinkerCache([]) }
    #expect(throws: GPUError.self) { try LinkerCache(Array("ld.so-1.7.0\0".utf8)) }
    #expect(throws: GPUError.self) { try LinkerCache([UInt8](repeating: 65, count: 4096)) }
    var bigEndian = builder
    bigEndian.endianness = 3
    #expect(throws: GPUError.self) { try LinkerCache(bigEndian.bytes) }
    var manyEntries = builder.bytes
    manyEntries.replaceSubrange(20..<24, with: [255, 255, 255, 255])
    #expect(throws: GPUError.self) { try LinkerCache(manyEntries) }
  }

  @Test func everyCutIsAnErrorAndNoCrash() {
    let bytes = builder.bytes
    for length in 0..<bytes.count { #expect(throws: GPUError.self) { try LinkerCache(Array(bytes.prefix(length))) } }
  }

  @Test("this machine's cache is read as ldconfig reads it", .needs(.tool("ldconfig", package: "libc-bin")))
  func thisMachine() throws {
    let bytes = try FileSystem.readFile("/etc/ld.so.cache")
    let ours = try LinkerCache(bytes).libraries.map { "\($0.name) => \($0.path)" }
    // name (kind) => path
    let theirs = try Tool.run("ldconfig", "-p").text.split(separator: "\n").filter { $0.contains(" => ") }.map { line in
      let parts = line.split(separator: " ", maxSplits: 1)
      let path = line.split(separator: ">", maxSplits: 1).last ?? ""
      return String(parts[0].drop { $0 == "\t" }) + " =>" + path
    }
    #expect(ours.count == theirs.count)
    #expect(Set(ours) == Set(theirs))
  }
}
