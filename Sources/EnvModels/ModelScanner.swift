/// Looks through a model's file without executing anything in it: finds out what it is, and hands each part to the walk that knows it.
import Archive
import EnvCore
import SafeFS
import SystemPackage

/// Scans models. It never trusts a name: what a reader would make of the bytes is looked for in the bytes.
public struct ModelScanner: Sendable {
  public init() {}

  /// Scans a file.
  ///
  /// - Parameter name: The name by which programs would know it, when the path has another: its ending tells what they would try.
  /// - Throws: `ModelError` when the file cannot be read. Whatever is in it ends in findings.
  public func scan(_ path: FilePath, name: String? = nil) throws(ModelError) -> ModelScan {
    do {
      let source = try ByteSource(file: path)
      var scan = SourceScan(file: path)
      let format = try scan.look(source, name: name ?? path.lastComponent?.string ?? "", member: nil, depth: 0)
      var result = ModelScan(format: format, size: source.size)
      result.pickles = scan.collector.pickles
      result.globals = scan.collector.globals.sorted()
      result.findings = scan.collector.findings
      return result
    } catch let error as ModelError {
      throw error
    } catch {
      throw .unreadable(object: path.string, underlying: error)
    }
  }
}

/// The scan of one file with everything inside it.
struct SourceScan {
  /// Archives in archives deeper than this are no model.
  static let deepest = 4

  var collector = FindingCollector()
  /// The file itself, for readers that want a path.
  let file: FilePath
  /// What may still be inflated, in bytes.
  var inflatable: Int64 = 1 << 30

  init(file: FilePath) { self.file = file }

  /// Scans a file, or a member of one.
  ///
  /// - Returns: What it is.
  mutating func look(_ source: ByteSource, name: String, member: String?, depth: Int) throws -> ModelScan.Format {
    let endings = name.lowercased().split(separator: ".").map(String.init)
    let ending = endings.last ?? ""
    let start = try source.bytes(at: 0, 512)
    if start.starts(with: [0x50, 0x4B, 3, 4]) || start.starts(with: [0x50, 0x4B, 5, 6]) {
      return try lookIntoZip(source, member: member, depth: depth)
    }
    // zipfile and others look for a zip at the end of a file, whatever it begins with.
    if try ZipDirectory.mayEnd(source) {
      add(.hidden, member, message: "it does not begin as a zip archive, and ends as one: programs disagree on what it is")
    }
    // Before everything else, because torch.load offers to tarfile whatever is no zip.
    if Self.isTarHeader(start) { return try lookIntoTar(source, ending: ending, member: member, depth: depth) }
    if start.starts(with: NumpyHeader.magic) { return try lookIntoArrays(source, member: member) }
    if try SafetensorsHeader.begins(source) || ending == "safetensors" {
      let isSound = try checkSafetensors(source, member: member)
      // The length of the header may be chosen so that it is the beginning of a pickle.
      if isSound, try mayBePickle(source) {
        add(.hidden, member, message: "it is a safetensors file and a pickle at once: programs disagree on what it is")
      }
      if isSound || ending != "safetensors" { return .safetensors }
    }
    // `model.pkl.gz` and the like: joblib and pandas inflate such a file on their own and unpickle it.
    let isExpected = endings.suffix(2).contains { Self.pickleEndings.contains($0) }
    if isExpected || endings.suffix(2).contains("bin"), Self.compressions.contains(where: { start.starts(with: $0) }) {
      add(.unsupported, member, message: "it is compressed as a whole, which is not looked into")
      return .unrecognised
    }
    return try lookForPickles(source, isExpected: isExpected, member: member)
  }

  /// Endings that lead programs to unpickle a file, or to say that it is damaged. numpy.load does so with what is neither of its formats.
  static let pickleEndings: Set<String> = ["pt", "pth", "pkl", "pickle", "pdparams", "pdopt", "ckpt", "joblib", "npy", "npz"]

  /// How gzip, bzip2, xz, lz4, zstd, LZMA alone and zlib begin.
  private static let compressions: [[UInt8]] = [
    [0x1F, 0x8B], [0x42, 0x5A, 0x68], [0xFD, 0x37, 0x7A, 0x58, 0x5A], [4, 0x22, 0x4D, 0x18], [0x28, 0xB5, 0x2F, 0xFD], [0x5D, 0, 0],
    [0x78, 1], [0x78, 0x5E], [0x78, 0x9C], [0x78, 0xDA],
  ]

  mutating func add(_ kind: ModelFinding.Kind, _ member: String?, offset: Int64? = nil, message: String) {
    collector.add(ModelFinding(kind, member: member, offset: offset, message: message))
  }

  // MARK: Safetensors and arrays

  /// Whether it is a sound safetensors file.
  private mutating func checkSafetensors(_ source: ByteSource, member: String?) throws -> Bool {
    do {
      _ = try SafetensorsHeader(source)
      return true
    } catch let fault as HeaderFault {
      add(.malformed, member, message: "it is no valid safetensors file: \(fault.reason)")
      return false
    }
  }

  /// One array after the other, as numpy.save leaves them in one file; those of objects are pickles.
  private mutating func lookIntoArrays(_ source: ByteSource, member: String?) throws -> ModelScan.Format {
    var offset: Int64 = 0
    while offset < source.size {
      let rest = source.slice(from: offset)
      do {
        let header = try NumpyHeader(rest)
        guard let size = header.dataSize else {
          try walkSequence(source, from: offset + header.dataOffset, member: member)
          return .npy
        }
        guard size <= rest.size - header.dataOffset else { throw LiteralFault("it is shorter than its header says") }
        offset += header.dataOffset + size
      } catch let fault as LiteralFault {
        let what = offset == 0 ? "it is no valid array: " : "what follows the array is none: "
        add(offset == 0 ? .malformed : .hidden, member, offset: offset, message: what + fault.reason)
        return .npy
      }
    }
    return .npy
  }
}
