/// Python as the second opinion: it makes pickles of every kind, and says itself what is in them.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvModels

enum Python {
  static let numpy = Capability(
    "numpy", isPresent: (try? Tool.run("python3", "-c", "import numpy").status) == 0, package: "python3-numpy")

  /// Runs a script with `folder` as its argument, expecting that it works.
  static func run(_ script: String, _ folder: FilePath) throws {
    let output = try Tool.run("python3", "-c", script, folder.string)
    try #require(output.status == 0, "\(output.text)")
  }
}

/// The scan of bytes under a name.
func scan(_ bytes: [UInt8], _ name: String = "model.pkl") throws -> ModelScan {
  try withTemporaryFolder { folder in
    let file = folder.appending(name)
    try FileSystem.writeAtomically(bytes, to: file)
    return try ModelScanner().scan(file)
  }
}

/// A walk over one pickle: its instructions, how it ended, what was found.
func walk(_ bytes: [UInt8]) throws -> (instructions: [PickleInstruction], ending: PickleMachine.Ending, found: FindingCollector) {
  var machine = PickleMachine(ByteSource(bytes), member: nil)
  var instructions: [PickleInstruction] = []
  let ending = try machine.run { instructions.append($0) }
  return (instructions, ending, machine.collector)
}

extension [UInt8] {
  /// Bytes written as text, for protocols that are text.
  static func text(_ text: String) -> [UInt8] { Array(text.utf8) }
  /// SHORT_BINUNICODE.
  static func string(_ text: String) -> [UInt8] { [0x8C, UInt8(text.utf8.count)] + Array(text.utf8) }
  /// `width` little-endian bytes.
  static func number(_ value: some BinaryInteger, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }
}
