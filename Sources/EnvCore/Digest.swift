/// `Digest`: the name of a piece of content. It parses and prints; computing one is the floor above's work.

/// A SHA-256 content digest as the OCI image specification writes it (`sha256:` and 64 lowercase hex digits; descriptor.md, "Digests").
///
/// Only `sha256` is accepted: a digest becomes part of paths and URLs, so nothing else may pass (CVE-2024-3727).
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// 64 lowercase hexadecimal digits.
  public let hex: String

  /// Parses `sha256:<hex>`.
  public init(parsing text: some StringProtocol) throws(DigestError) {
    guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { throw .malformed(String(text)) }
    let algorithm = text[..<colon]
    guard algorithm == "sha256" else { throw .unsupportedAlgorithm(String(algorithm)) }
    try self.init(hex: text[text.utf8.index(after: colon)...])
  }

  /// Parses the bare 64 lowercase hex digits.
  public init(hex: some StringProtocol) throws(DigestError) {
    let isLowercaseHex = hex.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) }
    guard hex.utf8.count == 64, isLowercaseHex else { throw .malformed(String(hex)) }
    self.hex = String(hex)
  }

  /// Names the 32 raw bytes of a SHA-256 value.
  ///
  /// - Precondition: `bytes` holds exactly 32 bytes.
  public init(sha256Bytes bytes: some Collection<UInt8>) {
    precondition(bytes.count == 32, "a SHA-256 value has 32 bytes")
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(64)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    self.hex = String(decoding: text, as: UTF8.self)
  }

  public var description: String { "sha256:" + hex }

  /// The first twelve digits, enough for a person to tell two apart.
  public var short: String { String(hex.prefix(12)) }

  public static func < (left: Digest, right: Digest) -> Bool { left.hex < right.hex }
}

extension Digest: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    try self.init(parsing: container.decode(String.self))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// Why a text is not a digest envctl accepts.
public enum DigestError: Diagnostic, Equatable {
  case malformed(String)
  case unsupportedAlgorithm(String)

  public var summary: String {
    switch self {
    case .malformed(let text): "'\(text.prefix(100))' is not a digest: expected sha256: and 64 lowercase hex digits"
    case .unsupportedAlgorithm(let name): "digest algorithm '\(name.prefix(40))' is not supported: only sha256 is"
    }
  }
  public var exitCode: ExitCode { .verification }
}
