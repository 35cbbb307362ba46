/// What a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1; distribution's token specification).

/// One challenge: a scheme and its parameters.
struct AuthenticationChallenge: Equatable {
  /// Lowercase, such as `bearer`.
  var scheme: String
  /// Names in lowercase; a value may be empty.
  var parameters: [String: String]

  /// All challenges of the header's fields. What is malformed is passed over: there may be another challenge that is not.
  static func parse(_ fields: [String]) -> [AuthenticationChallenge] {
    fields.flatMap { field in
      var reader = ChallengeReader(rest: field.utf8.prefix(8 << 10)[...])
      return reader.challenges()
    }
  }
}

/// Reads `scheme name=value, name="quoted, value", scheme …`, in which a comma separates both parameters and challenges.
private struct ChallengeReader {
  var rest: String.UTF8View.SubSequence

  mutating func challenges() -> [AuthenticationChallenge] {
    var found: [AuthenticationChallenge] = []
    while !rest.isEmpty {
      skip(" \t,")
      let word = token()
      guard !word.isEmpty else {
        rest = rest.dropFirst()
        continue
      }
      skip(" \t")
      // A name that an equals sign follows is a parameter of the challenge before; anything else begins a new one.
      if rest.first == UInt8(ascii: "="), !found.isEmpty {
        rest = rest.dropFirst()
        skip(" \t")
        found[found.count - 1].parameters[word.lowercased()] = value()
      } else {
        found.append(AuthenticationChallenge(scheme: word.lowercased(), parameters: [:]))
      }
    }
    return found
  }

  private mutating func skip(_ characters: String) { rest = rest.drop { characters.utf8.contains($0) } }

  private mutating func token() -> String {
    let word = rest.prefix { $0 > 32 && $0 < 127 && !"()<>@,;:\\\"/[]?={}".utf8.contains($0) }
    rest = rest.dropFirst(word.count)
    return String(Substring(word))
  }

  private mutating func value() -> String {
    guard rest.first == UInt8(ascii: "\"") else {
      // Some servers forget the quotes around a URL.
      let bare = rest.prefix { $0 != UInt8(ascii: ",") && $0 > 32 }
      rest = rest.dropFirst(bare.count)
      return String(Substring(bare))
    }
    rest = rest.dropFirst()
    var bytes: [UInt8] = []
    while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
      if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() { bytes.append(escaped) } else { bytes.append(byte) }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
