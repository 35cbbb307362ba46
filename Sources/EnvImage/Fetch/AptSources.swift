/// Where apt gets packages from: its source lists, read in both of their forms. Reading the files is the caller's work.

/// One place that offers packages (sources.list(5)).
struct AptSource: Equatable, Sendable {
  /// The base URL as configured, such as that of a mirror or `mirror+file:` with a list of them.
  var uri: String
  var suite: String
  var components: [String]
  /// Key files or fingerprints that must have signed the suite.
  var signedBy: String?
  /// Whether apt is told to do without a signature.
  var isTrusted = false

  /// Entries of the one-line form: `deb [options] uri suite component…`.
  static func parse(list text: String) -> [AptSource] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
      var words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)[...]
      guard words.popFirst() == "deb" else { return nil }
      var options: [String] = []
      if words.first?.hasPrefix("[") == true {
        while let word = words.popFirst() {
          options.append(word.filter { $0 != "[" && $0 != "]" })
          if word.hasSuffix("]") { break }
        }
      }
      guard let uri = words.popFirst(), let suite = words.popFirst() else { return nil }
      let signedBy = options.first { $0.lowercased().hasPrefix("signed-by=") }.map { String($0.dropFirst("signed-by=".count)) }
      return AptSource(
        uri: uri, suite: suite, components: Array(words), signedBy: signedBy,
        isTrusted: options.contains { $0.lowercased() == "trusted=yes" })
    }
  }

  /// Entries of the deb822 form: stanzas of fields, one source for each pair of URI and suite.
  static func parse(deb822 text: String) -> [AptSource] {
    ControlParagraph.parse(text).flatMap { stanza -> [AptSource] in
      func words(_ field: String) -> [String] { (stanza[field] ?? "").split(whereSeparator: \.isWhitespace).map(String.init) }
      guard words("Types").contains("deb"), stanza["Enabled"]?.lowercased() != "no" else { return [] }
      // A key written into the stanza itself cannot be said in the one-line form; apt's trusted keys must do then.
      let signedBy = stanza["Signed-By"].flatMap { $0.contains("BEGIN PGP") ? nil : words("Signed-By").joined(separator: ",") }
      return words("URIs").flatMap { uri in
        words("Suites").map {
          AptSource(
            uri: uri, suite: $0, components: words("Components"), signedBy: signedBy, isTrusted: stanza["Trusted"]?.lowercased() == "yes")
        }
      }
    }
  }

  /// The sources of `suite` with component main; where there is none, those of another plain suite, whose mirror has the pool in common.
  ///
  /// Suites of updates are left out: what they offer disappears when the next one comes.
  static func forMain(of suite: String, among sources: [AptSource]) -> [AptSource] {
    let main = sources.filter { $0.components.contains("main") && !$0.suite.contains("-") && !$0.suite.contains("/") }
    let exact = main.filter { $0.suite == suite }
    return distinct(exact.isEmpty ? main : exact)
  }

  /// Each repository once. apt takes one that is listed twice, with its keys named at the second place only, and refuses the other order;
  /// the entry that names keys says all that both do.
  private static func distinct(_ sources: [AptSource]) -> [AptSource] {
    var kept: [AptSource] = []
    for source in sources {
      if let index = kept.firstIndex(where: { $0.place == source.place && $0.suite == source.suite }) {
        if kept[index].signedBy == nil { kept[index] = source }
      } else {
        kept.append(source)
      }
    }
    return kept
  }

  /// The URI as apt compares it: with or without a slash at its end.
  private var place: Substring { uri.hasSuffix("/") ? uri.dropLast() : uri[...] }

  /// The source as a line that apt reads, for component main of `suite`.
  func line(suite: String, architecture: String) -> String {
    let options = ["arch=\(architecture)"] + (signedBy.map { ["signed-by=\($0)"] } ?? []) + (isTrusted ? ["trusted=yes"] : [])
    return "deb [\(options.joined(separator: " "))] \(uri) \(suite) main\n"
  }
}

/// A paragraph of a Debian control file (deb822(5)): fields with folded lines joined by newlines.
struct ControlParagraph: Equatable, Sendable {
  /// In file order; names as written.
  private(set) var fields: [(name: String, value: String)] = []

  /// The value of the field, whose name is compared without case.
  subscript(_ name: String) -> String? { fields.first { $0.name.lowercased() == name.lowercased() }?.value }

  static func parse(_ text: String) -> [ControlParagraph] {
    var paragraphs: [ControlParagraph] = []
    var current = ControlParagraph()
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.allSatisfy(\.isWhitespace) {
        if !current.fields.isEmpty { paragraphs.append(current) }
        current = ControlParagraph()
      } else if line.hasPrefix("#") {
        continue
      } else if line.first == " " || line.first == "\t" {
        guard let last = current.fields.indices.last else { continue }
        current.fields[last].value += "\n" + line
      } else if let colon = line.firstIndex(of: ":") {
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        current.fields.append((String(line[..<colon]), String(value)))
      }
    }
    if !current.fields.isEmpty { paragraphs.append(current) }
    return paragraphs
  }

  static func == (left: ControlParagraph, right: ControlParagraph) -> Bool {
    left.fields.elementsEqual(right.fields) { $0.name == $1.name && $0.value == $1.value }
  }
}
