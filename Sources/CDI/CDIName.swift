/// The names of CDI: kinds, devices, and both together.
import EnvCore

/// `vendor/class`, such as `nvidia.com/gpu` (CDI specification, "Kind").
public struct CDIKind: Hashable, Sendable, CustomStringConvertible, Comparable {
  public let vendor: String
  public let name: String

  /// Nil for what is not `vendor/class`, both of which begin with a letter, end with a letter or a digit and hold letters, digits,
  /// `_`, `-` and `.` between.
  public init?(parsing text: some StringProtocol) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ isCDIName($0, letterFirst: true, inside: "_-.") }) else { return nil }
    vendor = String(parts[0])
    name = String(parts[1])
  }

  /// A kind whose parts are known to be good, such as those written into the program.
  public init(vendor: String, name: String) {
    self.vendor = vendor
    self.name = name
  }

  public var description: String { vendor + "/" + name }

  public static func < (left: CDIKind, right: CDIKind) -> Bool { left.description < right.description }
}

/// `vendor/class=name`: one device by its full name.
public struct QualifiedDevice: Hashable, Sendable, CustomStringConvertible, Comparable {
  public let kind: CDIKind
  public let name: String

  public init(kind: CDIKind, name: String) {
    self.kind = kind
    self.name = name
  }

  /// Nil for what is no qualified name.
  public init?(parsing text: some StringProtocol) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let kind = CDIKind(parsing: parts[0]), Self.isDeviceName(parts[1]) else { return nil }
    self.init(kind: kind, name: String(parts[1]))
  }

  /// Letters and digits, and `_`, `-`, `.` and `:` between them.
  public static func isDeviceName(_ text: some StringProtocol) -> Bool { isCDIName(text, letterFirst: false, inside: "_-.:") }

  public var description: String { "\(kind)=\(name)" }

  public static func < (left: QualifiedDevice, right: QualifiedDevice) -> Bool {
    (left.kind, left.name) < (right.kind, right.name)
  }
}

/// The common rule of CDI's names, on bytes: only ASCII is allowed.
private func isCDIName(_ text: some StringProtocol, letterFirst: Bool, inside: String) -> Bool {
  let bytes = Array(text.utf8)
  guard let first = bytes.first, let last = bytes.last else { return false }
  guard letterFirst ? first.isASCIILetter : first.isASCIILetter || first.isASCIIDigit, last.isASCIILetter || last.isASCIIDigit
  else { return false }
  return bytes.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || inside.utf8.contains($0) }
}

extension UInt8 {
  var isASCIILetter: Bool { (65...90).contains(self) || (97...122).contains(self) }
  var isASCIIDigit: Bool { (48...57).contains(self) }
}
