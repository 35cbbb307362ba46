/// Zip archives: PyTorch's form since 1.6, TorchScript, .npz, and archives in archives.
import Compression
import EnvCore

extension SourceScan {
  /// Of a deflated member no more than this is looked at, in bytes.
  static let largestInflated: Int64 = 64 << 20

  mutating func lookIntoZip(_ source: ByteSource, member: String?, depth: Int) throws -> ModelScan.Format {
    guard depth < Self.deepest else {
      add(.limit, member, message: "archives are nested deeper than \(Self.deepest)")
      return .zip
    }
    let directory: ZipDirectory
    do {
      directory = try ZipDirectory(source)
    } catch let fault as ZipFault {
      add(.malformed, member, message: "it is a zip archive that programs may read differently: \(fault.reason)")
      return .zip
    }
    reportDuplicates(directory, member: member)
    let storages = Self.torchStorages(directory)
    for entry in directory.members where !(entry.name.hasSuffix("/") && entry.size == 0) && !storages.contains(entry.name) {
      let path = member.map { $0 + "!" + entry.name } ?? entry.name
      if Self.isTorchScript(entry.name) {
        add(.code, path, message: "it is TorchScript, which the loading program runs")
        continue
      }
      guard let content = try content(of: entry, directory, path: path) else { continue }
      _ = try look(content, name: entry.name, member: path, depth: depth + 1)
    }
    return Self.format(directory)
  }

  /// Which of two a program takes is its own affair.
  private mutating func reportDuplicates(_ directory: ZipDirectory, member: String?) {
    var seen: Set<String> = []
    for entry in directory.members where !seen.insert(entry.name).inserted {
      add(.hidden, member.map { $0 + "!" + entry.name } ?? entry.name, message: "two members have this name")
    }
  }

  private static func format(_ directory: ZipDirectory) -> ModelScan.Format {
    let names = directory.members.map(\.name)
    if names.contains(where: { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }) { return .torchZip }
    return !names.isEmpty && names.allSatisfy { $0.hasSuffix(".npy") } ? .npz : .zip
  }

  /// The storages beside a `data.pkl`: raw numbers, which nothing unpickles and which may look like anything.
  private static func torchStorages(_ directory: ZipDirectory) -> Set<String> {
    let pickles = directory.members.map(\.name).filter { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }
    let roots = Set(pickles.map { String($0.dropLast("data.pkl".count)) + "data/" })
    let storages = directory.members.filter { entry in
      guard entry.method == 0, let slash = entry.name.utf8.lastIndex(of: UInt8(ascii: "/")) else { return false }
      return roots.contains(String(entry.name[...slash])) && entry.name.utf8[slash...].dropFirst().allSatisfy { (48...57).contains($0) }
    }
    return Set(storages.map(\.name))
  }

  /// Such as `model/code/__torch__.py`.
  private static func isTorchScript(_ name: String) -> Bool {
    name.hasSuffix(".py") && (name.hasPrefix("code/") || name.contains("/code/"))
  }

  /// The content of a member; nil, and a finding, when it cannot be had.
  private mutating func content(of entry: ZipMember, _ directory: ZipDirectory, path: String) throws -> ByteSource? {
    guard !entry.isEncrypted else {
      add(.unsupported, path, message: "it is encrypted")
      return nil
    }
    switch entry.method {
    case 0: return directory.stored(entry)
    case 8: break
    default:
      add(.unsupported, path, message: "it is compressed by method \(entry.method), which is not looked into")
      return nil
    }
    // Deflate cannot make anything more than 1032 times smaller (zlib's technical details).
    guard entry.size <= 1032 * max(entry.compressedSize, 1) else {
      add(.malformed, path, message: "it says that it inflates to \(ByteCount(entry.size)), which its \(entry.compressedSize) bytes cannot")
      return nil
    }
    if try entry.name.hasSuffix(".npy") && isPlainArray(entry, directory) { return nil }
    guard max(entry.size, entry.compressedSize) <= Self.largestInflated, entry.size <= inflatable else {
      add(.limit, path, message: "it inflates to \(ByteCount(entry.size)), which is more than is looked through")
      return nil
    }
    inflatable -= entry.size
    do {
      return try directory.inflated(entry)
    } catch let error as CompressionError {
      add(.malformed, path, message: error.summary)
      return nil
    }
  }

  /// Whether a deflated array is numbers alone and exactly as long as its header says; then its bytes need not be looked at.
  private func isPlainArray(_ entry: ZipMember, _ directory: ZipDirectory) throws -> Bool {
    do {
      let header = try NumpyHeader(try directory.beginning(of: entry, NumpyHeader.longest + 12))
      return header.dataSize.map { header.dataOffset + $0 == entry.size } ?? false
    } catch is LiteralFault {
      return false
    } catch is CompressionError {
      return false
    }
  }
}
