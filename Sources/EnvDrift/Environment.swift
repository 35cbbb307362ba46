/// What a training ran on, as the workload reports it, and how two such reports differ. It judges nothing: a difference may explain a drift, never make one.
import EnvCore

/// A hyperparameter's value: a number, a text, a truth value, or nothing where the framework does not tell.
public enum Scalar: Hashable, Sendable, CustomStringConvertible {
  case number(Double)
  case text(String)
  case flag(Bool)
  case unknown

  public var description: String {
    switch self {
    case .number(let value): value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    case .text(let value): value
    case .flag(let value): "\(value)"
    case .unknown: "unknown"
    }
  }
}

extension Scalar: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .unknown
    } else if let value = try? container.decode(Bool.self) {
      self = .flag(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else {
      self = .text(try container.decode(String.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .flag(let value): try container.encode(value)
    case .unknown: try container.encodeNil()
    }
  }
}

/// The environment of one training process.
public struct Environment: Codable, Hashable, Sendable {
  /// What lies below the interpreter.
  public struct Platform: Codable, Hashable, Sendable {
    /// The instruction set architecture, such as `x86_64`.
    public var machine: String
    /// Release of the running kernel.
    public var kernel: String
    /// The C library and its version.
    public var libc: String
  }

  /// The processor, as far as kernels are chosen by it.
  public struct CPU: Codable, Hashable, Sendable {
    /// The processor's name for itself.
    public var model: String
    /// The instruction sets by which libraries choose their kernels.
    public var flags: [String]
    /// Digest over all flags the processor reports.
    public var flagsDigest: Digest
    /// Who made it, as it says itself.
    public var vendor: String?
    /// Family, model and stepping.
    public var signature: String?
    /// Revision of the microcode in force.
    public var microcode: String?

    enum CodingKeys: String, CodingKey {
      case model, flags, vendor, signature, microcode
      case flagsDigest = "flags_digest"
    }
  }

  /// One installed distribution, its files read and hashed.
  public struct Package: Codable, Hashable, Sendable {
    /// As its metadata say.
    public var version: String
    /// Number of files it recorded at its installation.
    public var files: Int
    /// The files whose content is not what it recorded, at most 20 of them.
    public var altered: [String]
    /// The files that are not there, at most 20 of them.
    public var missing: [String]
    /// Its folders beside those of other packages.
    public var roots: [String]
    /// Over path and actual content of all its files.
    public var digest: Digest
  }

  /// The accelerators and their driver.
  public struct GPU: Codable, Hashable, Sendable {
    /// Version of the kernel's driver.
    public var driver: String?
    /// Each device by the fields its driver tells.
    public var devices: [[String: String]]
  }

  /// Version of the interpreter.
  public var python: String
  /// Version by name of each installed distribution.
  public var packages: [String: String]
  /// The same distributions by what is in their files.
  public var installed: [String: Package]?
  /// Digest by path of each shared object that is mapped into the process.
  public var libraries: [String: Digest]
  /// The linker's build id of each of them that has one, by path.
  public var buildIDs: [String: String]?
  /// The shared objects that are loaded before all others and replace their functions.
  public var preloaded: [String]?
  /// Kernel and C library.
  public var platform: Platform
  /// The processor.
  public var cpu: CPU
  /// How its clock is governed.
  public var clocks: [String: String]?
  /// The accelerators, if there are any.
  public var gpu: GPU?
  /// The framework's own flags in force, whoever set them.
  public var switches: [String: String]?
  /// Threads by library; nothing for a library that is not loaded.
  public var threads: [String: Int?]
  /// The variables set in the process that may choose kernels, threads or libraries.
  public var variables: [String: String]
  /// The variables that were removed before the process started.
  public var cleared: [String: String]

  enum CodingKeys: String, CodingKey {
    case python, packages, installed, libraries, preloaded, platform, cpu, clocks, gpu, switches, threads, variables, cleared
    case buildIDs = "build_ids"
  }
}

/// One thing that is not as it was when the baseline was measured.
public struct EnvironmentDifference: Codable, Hashable, Sendable, CustomStringConvertible {
  /// What kind of thing it is, the likeliest cause of a drift first.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case hyperparameter, preload, package, files, interpreter, library, flag, variable, threads, gpu, cpu, libc, kernel, clocks
  }

  /// What kind of thing differs.
  public var kind: Kind
  /// Which of its kind, such as a package's name.
  public var name: String
  /// In the baseline; nothing where it was absent.
  public var expected: String?
  /// Now; nothing where it is absent.
  public var actual: String?

  /// A difference of one thing of this kind.
  public init(kind: Kind, name: String, expected: String?, actual: String?) {
    self.kind = kind
    self.name = name
    self.expected = expected
    self.actual = actual
  }

  public var description: String {
    let label = kind.rawValue == name ? name : "\(kind.rawValue) \(name)"
    return switch (expected, actual) {
    case (let expected?, let actual?): "\(label) is \(actual), was \(expected)"
    case (nil, let actual?): "\(label) is \(actual), was absent"
    case (let expected?, nil): "\(label) is absent, was \(expected)"
    case (nil, nil): "\(label) is absent"
    }
  }
}

extension Environment {
  /// What differs between the baseline's environment, `self`, and the one observed; what only one of them tells is no difference.
  func differences(to actual: Environment) -> [EnvironmentDifference] {
    var found: [EnvironmentDifference] = []
    found += compareTold(.preload, preloaded.map(named), actual.preloaded.map(named))
    found += compare(.package, packages, actual.packages)
    found += differencesOfContent(to: actual)
    found += compare(.interpreter, ["python": python], ["python": actual.python])
    found += differencesOfLibraries(to: actual)
    found += compareTold(.flag, switches, actual.switches)
    found += compare(.variable, variables, actual.variables)
    found += compare(.threads, threads.compactMapValues { $0.map(String.init) }, actual.threads.compactMapValues { $0.map(String.init) })
    found += compare(.gpu, gpu?.facts ?? [:], actual.gpu?.facts ?? [:])
    found += compare(.cpu, cpu.facts(where: actual.cpu), actual.cpu.facts(where: cpu))
    found += compare(.libc, ["libc": platform.libc], ["libc": actual.platform.libc])
    found += compare(.kernel, ["kernel": platform.kernel], ["kernel": actual.platform.kernel])
    found += compareTold(.clocks, clocks, actual.clocks)
    return found
  }

  /// Packages of one version whose files differ all the same: altered after they were built or installed.
  private func differencesOfContent(to actual: Environment) -> [EnvironmentDifference] {
    guard let expected = installed, let actual = actual.installed else { return [] }
    return expected.keys.sorted().compactMap { name in
      guard let was = expected[name], let now = actual[name], was.version == now.version, was.digest != now.digest else { return nil }
      let changed = (now.altered + now.missing.map { $0 + " (missing)" }).prefix(3).joined(separator: ", ")
      return EnvironmentDifference(
        kind: .files, name: name, expected: was.digest.description, actual: now.digest.description + (changed.isEmpty ? "" : ": " + changed)
      )
    }
  }

  /// A shared object that now comes from elsewhere is one difference, not one that vanished and one that appeared.
  private func differencesOfLibraries(to actual: Environment) -> [EnvironmentDifference] {
    let plain = compare(.library, libraries.mapValues(\.description), actual.libraries.mapValues(\.description))
    let appeared = Dictionary(grouping: plain.filter { $0.expected == nil }) { fileName($0.name) }
    let vanished = Dictionary(grouping: plain.filter { $0.actual == nil }) { fileName($0.name) }
    let moved = appeared.keys.filter { appeared[$0]?.count == 1 && vanished[$0]?.count == 1 }.sorted()
    let pairs = moved.compactMap { name -> EnvironmentDifference? in
      guard let now = appeared[name]?.first, let was = vanished[name]?.first else { return nil }
      return EnvironmentDifference(
        kind: .library, name: name, expected: "\(was.name) (\(was.expected ?? ""))", actual: "\(now.name) (\(now.actual ?? ""))")
    }
    return pairs + plain.filter { ($0.expected != nil && $0.actual != nil) || !moved.contains(fileName($0.name)) }
  }
}

extension EnvironmentDifference {
  private static let seed = "seed of "

  /// Seeds as hyperparameters, by the name of their stream.
  static func named(seeds: [String: Int]) -> [String: String] {
    Dictionary(uniqueKeysWithValues: seeds.map { (seed + $0.key, "\($0.value)") })
  }

  /// Whether it is a seed.
  var isOfSeed: Bool { kind == .hyperparameter && name.hasPrefix(Self.seed) }
}

/// What follows the last slash of a path.
func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

/// A list as names to be compared: what matters is which there are.
private func named(_ list: [String]) -> [String: String] { Dictionary(list.map { ($0, "loaded") }) { first, _ in first } }

/// The differences where both sides tell; a baseline of an older form does not.
private func compareTold(
  _ kind: EnvironmentDifference.Kind, _ expected: [String: String]?, _ actual: [String: String]?
) -> [EnvironmentDifference] {
  guard let expected, let actual else { return [] }
  return compare(kind, expected, actual)
}

extension Environment.CPU {
  /// What is told by this side, without what `other` does not tell.
  fileprivate func facts(where other: Environment.CPU) -> [String: String] {
    var facts = ["model": model, "flags": flags.joined(separator: " "), "flags digest": flagsDigest.description]
    if other.vendor != nil { facts["vendor"] = vendor }
    if other.signature != nil { facts["family/model/stepping"] = signature }
    if other.microcode != nil { facts["microcode"] = microcode }
    return facts
  }
}

extension Environment.GPU {
  /// What may decide a result; the identity of a device and its clocks do not.
  private static let telling = ["name", "compute_cap", "mig.mode.current", "vbios_version", "ecc.mode.current"]

  fileprivate var facts: [String: String] {
    var facts = driver.map { ["driver": $0] } ?? [:]
    for (index, device) in devices.enumerated() {
      for field in Self.telling { facts["\(index) \(field)"] = device[field] }
    }
    return facts
  }
}

/// The names whose values differ, sorted by name.
func compare(
  _ kind: EnvironmentDifference.Kind, _ expected: [String: String], _ actual: [String: String]
) -> [EnvironmentDifference] {
  Set(expected.keys).union(actual.keys).sorted()
    .filter { expected[$0] != actual[$0] }
    .map { EnvironmentDifference(kind: kind, name: $0, expected: expected[$0], actual: actual[$0]) }
}
