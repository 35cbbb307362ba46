/// The keys by which a person leaves a terminal without ending what runs on it.

/// A sequence of keys, found in a stream of bytes.
public struct DetachKeys: Sendable, Hashable {
  /// Ctrl-P, Ctrl-Q: what docker and podman have.
  public static let standard = DetachKeys(bytes: [0x10, 0x11])
  /// Nothing leaves the terminal.
  public static let none = DetachKeys(bytes: [])

  let bytes: [UInt8]

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// Reads docker's notation: keys with commas between them, each a single character or `ctrl-` and one of a–z, @, [, \, ], ^, _.
  /// Empty is none.
  public init?(parsing text: String) {
    var bytes: [UInt8] = []
    for key in text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false) {
      let letters = Array(key.utf8)
      if letters.count == 1, (33...126).contains(letters[0]) {
        bytes.append(letters[0])
      } else if letters.count == 6, key.lowercased().hasPrefix("ctrl-") {
        // A control character is the key's code without the bits of the column it stands in (ASCII, columns 4 to 7).
        let code = letters[5] | 0x20 >= 97 && letters[5] | 0x20 <= 122 ? letters[5] & 0x5f : letters[5]
        guard (0x40...0x5f).contains(code) else { return nil }
        bytes.append(code & 0x1f)
      } else {
        return nil
      }
    }
    self.bytes = bytes
  }
}

/// Takes typed bytes apart into those that go on and the detach keys.
struct DetachFilter {
  private let keys: [UInt8]
  private var matched = 0

  init(_ keys: DetachKeys) { self.keys = keys.bytes }

  /// What goes on of `typed`, and whether the keys were complete. The beginning of the sequence is held back until it is known to be none.
  mutating func take(_ typed: [UInt8]) -> (forwarded: [UInt8], isDetached: Bool) {
    guard !keys.isEmpty else { return (typed, false) }
    var forwarded: [UInt8] = []
    for byte in typed {
      if byte == keys[matched] {
        matched += 1
        if matched == keys.count { return (forwarded, true) }
        continue
      }
      // What was held back is tried from each of its later bytes: it may hold the sequence's true beginning.
      var held = Array(keys[..<matched]) + [byte]
      while !held.isEmpty, !keys.starts(with: held) { forwarded.append(held.removeFirst()) }
      matched = held.count
    }
    return (forwarded, false)
  }
}
