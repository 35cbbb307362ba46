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

    enum CodingKeys: String, CodingKey {
      case model, flags
      case flagsDigest = "flags_digest"
    }
  }

  /// Version of the interpreter.
  public var python: String
  /// Version by name of each installed distribution.
  public var packages: [String: String]
  /// Digest by path of each shared object that is mapped into the process.
  public var libraries: [String: Digest]
  /// Kernel and C library.
  public var platform: Platform
  /// The processor.
  public var cpu: CPU
  /// Threads by library; nothing for a library that is not loaded.
  public var threads: [String: Int?]
  /// The variables set in the process that may choose kernels, threads or libraries.
  public var variables: [String: String]
  /// The variables that were removed before the process started.
  public var cleared: [String: String]
}

/// One thing that is not as it was when the baseline was measured.
public struct EnvironmentDifference: Codable, Hashable, Sendable, CustomStringConvertible {
  /// What kind of thing it is, the likeliest cause of a drift first.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    case hyperparameter, package, interpreter, library, variable, threads, cpu, libc, kernel
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
  /// What differs between the baseline's environment, `self`, and the one observed.
  func differences(to actual: Environment) -> [EnvironmentDifference] {
    var found: [EnvironmentDifference] = []
    found += compare(.package, packages, actual.packages)
    found += compare(.interpreter, ["python": python], ["python": actual.python])
    found += compare(.library, libraries.mapValues(\.description), actual.libraries.mapValues(\.description))
    found += compare(.variable, variables, actual.variables)
    found += compare(.threads, threads.compactMapValues { $0.map(String.init) }, actual.threads.compactMapValues { $0.map(String.init) })
    found += compare(.cpu, cpu.facts, actual.cpu.facts)
    found += compare(.libc, ["libc": platform.libc], ["libc": actual.platform.libc])
    found += compare(.kernel, ["kernel": platform.kernel], ["kernel": actual.platform.kernel])
    return found
  }
}

extension Environment.CPU {
  fileprivate var facts: [String: String] {
    ["model": model, "flags": flags.joined(separator: " "), "flags digest": flagsDigest.description]
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
