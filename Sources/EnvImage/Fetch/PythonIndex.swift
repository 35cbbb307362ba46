/// A project's page on a package index, in either of its forms. It parses bytes; asking the index is `IndexClient`'s work.
import EnvCore
import HTTP

/// A file that an index offers for a project.
struct IndexFile: Equatable, Sendable {
  var filename: String
  /// Absolute.
  var url: String
  var sha256: Digest?
  var size: Int64?
  /// When it was published, where the index tells (PEP 700).
  var published: Timestamp?
}

/// The simple repository API's project page.
enum IndexPage {
  /// What a client asks for, the form with sizes and dates first (PEP 691).
  static let accept = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

  /// The files on the page fetched from `url`.
  /// - Throws: `JSONError` when a page that calls itself JSON is not.
  static func files(_ bytes: [UInt8], contentType: String?, url: String) throws -> [IndexFile] {
    if contentType?.contains("json") == true || bytes.first == UInt8(ascii: "{") {
      return try json(bytes, url: url)
    }
    return html(String(decoding: bytes, as: UTF8.self), url: url)
  }

  private struct Page: Decodable {
    struct File: Decodable {
      var filename: String
      var url: String
      var hashes: [String: String]
      var size: Int64?
      var published: String?

      enum CodingKeys: String, CodingKey {
        case filename, url, hashes, size
        case published = "upload-time"
      }
    }
    var files: [File]
  }

  private static func json(_ bytes: [UInt8], url: String) throws -> [IndexFile] {
    try CanonicalJSON.decode(Page.self, from: bytes, object: "the index page " + redacted(url: url)).files.map { file in
      IndexFile(
        filename: file.filename, url: absoluteURL(file.url, from: url), sha256: file.hashes["sha256"].flatMap { try? Digest(hex: $0) },
        size: file.size, published: file.published.flatMap { Timestamp(parsing: $0) })
    }
  }

  private static func html(_ text: String, url: String) -> [IndexFile] {
    var files: [IndexFile] = []
    var base = url
    var rest = text[...]
    while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
      let tag = rest[rest.index(after: open)..<close]
      rest = rest[rest.index(after: close)...]
      let name = tag.prefix { !$0.isWhitespace }.lowercased()
      guard name == "a" || name == "base", let reference = attribute("href", of: tag) else { continue }
      let absolute = absoluteURL(reference, from: base)
      if name == "base" {
        base = absolute
        continue
      }
      let (location, fragment) = split(absolute, at: "#")
      let filename = percentDecoded(split(location, at: "?").0.split(separator: "/").last.map(String.init) ?? "")
      let hash = fragment.hasPrefix("sha256=") ? try? Digest(hex: fragment.dropFirst("sha256=".count)) : nil
      files.append(IndexFile(filename: filename, url: location, sha256: hash))
    }
    return files
  }

  private static func attribute(_ name: String, of tag: Substring) -> String? {
    guard let start = tag.lowercased().firstRange(of: name + "=") else { return nil }
    // lowercased() keeps the count of ASCII text, and a tag of an index is ASCII up to its first attribute.
    let offset = tag.lowercased().distance(from: tag.lowercased().startIndex, to: start.upperBound)
    let value = tag.dropFirst(offset)
    guard let quote = value.first, quote == "\"" || quote == "'" else { return String(value.prefix { !$0.isWhitespace }) }
    return unescaped(String(value.dropFirst().prefix { $0 != quote }))
  }

  private static func unescaped(_ text: String) -> String {
    text.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"").replacing("&#39;", with: "'")
      .replacing("&amp;", with: "&")
  }

}

/// `reference` seen from the page at `base` (RFC 3986, section 5.2), for the shapes that index pages use.
func absoluteURL(_ reference: String, from base: String) -> String {
  if reference.firstRange(of: "://") != nil { return reference }
  guard let scheme = base.firstRange(of: "://") else { return reference }
  if reference.hasPrefix("//") { return base[..<scheme.lowerBound] + ":" + reference }
  let pathStart = base[scheme.upperBound...].firstIndex(of: "/") ?? base.endIndex
  let origin = base[..<pathStart]
  if reference.hasPrefix("/") { return origin + reference }
  let basePath = base[pathStart...].prefix { $0 != "?" && $0 != "#" }
  var components = basePath.split(separator: "/", omittingEmptySubsequences: false).dropFirst().dropLast().map(String.init)
  let (path, suffix) = (reference.prefix { $0 != "?" && $0 != "#" }, reference.drop { $0 != "?" && $0 != "#" })
  for component in path.split(separator: "/", omittingEmptySubsequences: false) {
    switch component {
    case "..": _ = components.popLast()
    case ".": break
    default: components.append(String(component))
    }
  }
  return origin + "/" + components.joined(separator: "/") + suffix
}

/// The text before and after the first `separator`; all of it and nothing when there is none.
func split(_ text: String, at separator: Character) -> (String, String) {
  guard let index = text.firstIndex(of: separator) else { return (text, "") }
  return (String(text[..<index]), String(text[text.index(after: index)...]))
}

/// `%2B` and its like as the bytes they stand for.
func percentDecoded(_ text: String) -> String {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    let digits = rest.prefix(2)
    if byte == UInt8(ascii: "%"), digits.count == 2, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) {
      bytes.append(value)
      rest = rest.dropFirst(2)
    } else {
      bytes.append(byte)
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}
