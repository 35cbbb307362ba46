/// What a scan says of a model: its form, every global name in it, and whatever goes beyond tensors and plain containers.
import EnvCore

/// One thing in a model that is more than tensors and plain containers, or that no two readers need read alike.
public struct ModelFinding: Sendable, Codable, Hashable, CustomStringConvertible {
  /// What was found.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// A name is imported that is none of the known constructors of tensors and containers.
    case global
    /// A name is imported that only the loading program can know: computed, or an extension code (PEP 307).
    case unresolved
    /// Something else than an imported name is called.
    case call
    /// The attributes of an imported name itself are changed.
    case mutation
    /// Program text that the loading program would run: TorchScript.
    case code
    /// Bytes that break the format's rules at this place.
    case malformed
    /// Bytes that belong to nothing, or to a second format in the same file.
    case hidden
    /// More than is looked through: what lies beyond is not known.
    case limit
    /// A form that is recognised and cannot be looked through.
    case unsupported
  }

  public let kind: Kind
  /// The path inside an archive, through nested ones joined by `!`.
  public let member: String?
  /// Bytes from the beginning of the member, or of the file.
  public let offset: Int64?
  /// As Python's pickletools names it.
  public let opcode: String?
  /// `module.name`, where one was resolved.
  public let global: String?
  public let message: String
  /// How often the same was found; the offset is the first one's.
  public var count: Int

  init(
    _ kind: Kind, member: String?, offset: Int64? = nil, opcode: String? = nil, global: String? = nil, message: String, count: Int = 1
  ) {
    self.kind = kind
    self.member = member
    self.offset = offset
    self.opcode = opcode
    self.global = global
    self.message = message
    self.count = count
  }

  public var description: String {
    let place = [member, opcode, offset.map { "byte \($0)" }].compactMap { $0 }.joined(separator: ", ")
    let times = count > 1 ? " (\(count) times)" : ""
    return (place.isEmpty ? "" : place + ": ") + message + times
  }
}

/// The outcome of scanning one file.
public struct ModelScan: Sendable, Codable {
  /// What the bytes are, whatever the file's name says.
  public enum Format: String, Sendable, Codable, CaseIterable {
    case pickle, zip, tar, npy, npz, safetensors
    case torchZip = "torch-zip"
    case torchLegacy = "torch-legacy"
    case torchTar = "torch-tar"
    /// No format that carries code when its usual reader loads it.
    case unrecognised
  }

  public internal(set) var format: Format
  /// Bytes.
  public let size: Int64
  /// Pickle streams walked through.
  public internal(set) var pickles = 0
  /// Every global name that is imported, harmless ones too, sorted.
  public internal(set) var globals: [String] = []
  public internal(set) var findings: [ModelFinding] = []

  init(format: Format, size: Int64) {
    self.format = format
    self.size = size
  }

  /// The findings apart by whether `allowed`, a list of global names, covers them.
  ///
  /// Only what is bound to a name can be allowed. Hidden, damaged or unreadable parts have none.
  public func judged(allowing allowed: [String]) -> (refused: [ModelFinding], allowed: [ModelFinding]) {
    let names = Set(allowed)
    let refused = findings.filter { finding in finding.global.map { !names.contains($0) } ?? true }
    return (refused, findings.filter { finding in finding.global.map(names.contains) ?? false })
  }
}

/// Collects findings, each thing once, and never more than memory should hold.
struct FindingCollector {
  private static let limit = 1000
  private struct Key: Hashable {
    let kind: ModelFinding.Kind
    let member: String?
    let opcode: String?
    let global: String?
    let message: String
  }

  private(set) var findings: [ModelFinding] = []
  private(set) var globals: Set<String> = []
  private var places: [Key: Int] = [:]
  var pickles = 0
  private var isFull = false

  mutating func add(_ finding: ModelFinding) {
    let key = Key(
      kind: finding.kind, member: finding.member, opcode: finding.opcode, global: finding.global, message: finding.message)
    if let place = places[key] {
      findings[place].count += finding.count
    } else if findings.count < Self.limit {
      places[key] = findings.count
      findings.append(finding)
    } else if !isFull {
      isFull = true
      findings.append(ModelFinding(.limit, member: nil, message: "more than \(Self.limit) different findings; the rest is not listed"))
    }
  }

  mutating func note(global: String) {
    if globals.count < 10 * Self.limit { globals.insert(global) }
  }

  mutating func merge(_ other: FindingCollector) {
    for finding in other.findings { add(finding) }
    for global in other.globals { note(global: global) }
    pickles += other.pickles
  }
}
