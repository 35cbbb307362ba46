/// The one spelling of a registry's `host[:port]`, by which policies, credentials and certificates know it. Short names are completed elsewhere.

/// A canonical `host[:port]`: lowercase, the port in plain decimal, addresses in the one form that nobody reads in two ways.
struct RegistryName: Hashable, Sendable {
  let text: String

  /// Parses what people write; several spellings of one registry give one name.
  ///
  /// `:443` stays, because a registry that is spoken to without TLS has another port by default. Docker Hub's other names become its own.
  /// - Throws: `RegistryNameError` for what is no registry, or could be read as another one than is written.
  init(parsing written: some StringProtocol) throws(RegistryNameError) {
    let lower = written.lowercased()
    let isBracketed = lower.hasPrefix("[")
    let colon = isBracketed ? lower.firstIndex(of: "]").map { lower.index(after: $0) } : lower.firstIndex(of: ":")
    let host = try Self.host(lower[..<(colon ?? lower.endIndex)], isBracketed: isBracketed)
    let port = try colon.flatMap { $0 < lower.endIndex ? lower[$0...] : nil }.map { rest throws(RegistryNameError) in try Self.port(rest) }
    let isDockerHub = (port == nil || port == "443") && ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(host)
    text = isDockerHub ? "docker.io" : host + (port.map { ":" + $0 } ?? "")
  }

  private static func host(_ host: Substring, isBracketed: Bool) throws(RegistryNameError) -> String {
    if isBracketed {
      guard host.hasSuffix("]"), let address = canonicalAddress(host.dropFirst().dropLast()) else {
        throw RegistryNameError(reason: "'\(host)' is not an IPv6 address")
      }
      return "[\(address)]"
    }
    let labels = host.split(separator: ".", omittingEmptySubsequences: false)
    let isHost = labels.allSatisfy { label in
      !label.isEmpty && !label.hasPrefix("-") && !label.hasSuffix("-")
        && label.utf8.allSatisfy { isDigit($0) || (97...122).contains($0) || $0 == UInt8(ascii: "-") }
    }
    guard isHost else { throw RegistryNameError(reason: "'\(host)' is not a registry's host") }
    // inet_aton(3) takes 127.1, 2130706433, 017700000001 and 0x7f000001 for one address; no domain ends with a number.
    let last = labels.last ?? ""
    let isNumber = last.utf8.allSatisfy(isDigit) || last.hasPrefix("0x") && last.dropFirst(2).utf8.allSatisfy(isHexDigit)
    guard !isNumber || labels.count == 4 && labels.allSatisfy({ UInt8($0).map { "\($0)" } == String($0) }) else {
      throw RegistryNameError(reason: "'\(host)' is a number that stands for an address: write the address as four decimal numbers")
    }
    return String(host)
  }

  private static func port(_ rest: Substring) throws(RegistryNameError) -> String {
    let digits = rest.dropFirst()
    guard rest.hasPrefix(":"), let port = UInt16(digits), port > 0, "\(port)" == digits else {
      throw RegistryNameError(reason: "'\(digits)' is not a port: it is a number from 1 to 65535 without zeros before it")
    }
    return String(digits)
  }

  /// RFC 5952, section 4; nil for what is no address, and for an IPv4 address in disguise.
  private static func canonicalAddress(_ text: Substring) -> String? {
    let halves = text.split(separator: "::", omittingEmptySubsequences: false).map { half in
      half.isEmpty ? [] : half.split(separator: ":", omittingEmptySubsequences: false)
    }
    guard halves.count <= 2, let head = halves.first, let tail = halves.count == 2 ? halves.last : [] else { return nil }
    let written = head.count + tail.count
    guard halves.count == 2 ? written < 8 : written == 8 else { return nil }
    guard (head + tail).allSatisfy({ (1...4).contains($0.utf8.count) && $0.utf8.allSatisfy(isHexDigit) }) else { return nil }
    let zeros = Array(repeating: UInt16(0), count: 8 - written)
    let groups = head.compactMap { UInt16($0, radix: 16) } + zeros + tail.compactMap { UInt16($0, radix: 16) }
    guard !groups.starts(with: [0, 0, 0, 0, 0, 0xFFFF]) else { return nil }
    // The first of the longest runs of zeros, of two at the least, is left out.
    var longest = 0..<1
    for start in groups.indices {
      let end = groups[start...].firstIndex { $0 != 0 } ?? groups.endIndex
      if end - start > longest.count { longest = start..<end }
    }
    func joined(_ groups: ArraySlice<UInt16>) -> String { groups.map { String($0, radix: 16) }.joined(separator: ":") }
    guard longest.count > 1 else { return joined(groups[...]) }
    return joined(groups[..<longest.lowerBound]) + "::" + joined(groups[longest.upperBound...])
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
  private static func isHexDigit(_ byte: UInt8) -> Bool { isDigit(byte) || (97...102).contains(byte) }
}

/// Why a text names no registry; a clause for the message about the reference it stands in.
struct RegistryNameError: Error {
  let reason: String
}

extension ImageReference {
  /// The form in which `registry` carries a `host[:port]` that somebody wrote; nil when it names no registry.
  public static func canonicalRegistry(_ text: some StringProtocol) -> String? { try? RegistryName(parsing: text).text }
}
