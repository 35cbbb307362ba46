/// Text from elsewhere made fit for a terminal. What lines there are is decided by who prints.

/// The text with every character written out that would move the cursor, recolour the terminal, begin a line or turn the reading
/// direction: names in results and messages come from archives, registries, signers and other people's folders.
///
/// C0, DEL and C1 (ECMA-48), and the embeddings, overrides and isolates of Unicode Annex 9 (CVE-2021-42574).
public func printable(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: \.controlsTerminal) else { return text }
  return text.unicodeScalars.map { $0.controlsTerminal ? "\\u{" + String($0.value, radix: 16) + "}" : String($0) }.joined()
}

extension Unicode.Scalar {
  var controlsTerminal: Bool {
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
