/// Canonical JSON: the one byte sequence for a value, so that its digest means something. Reading is strict about UTF-8 and structure.
#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Encoding with sorted keys, no insignificant white space and no escaped slashes; decoding with errors that name the place.
public enum CanonicalJSON {
  /// The canonical bytes of `value`, with no newline at the end.
  public static func encode(_ value: some Encodable) throws(JSONError) -> [UInt8] {
    try bytes(of: value, formatting: [.sortedKeys, .withoutEscapingSlashes])
  }

  /// The same order of keys, indented, with a newline at the end: for files that people read in a review.
  public static func encodePretty(_ value: some Encodable) throws(JSONError) -> [UInt8] {
    try bytes(of: value, formatting: [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]) + [UInt8(ascii: "\n")]
  }

  /// Decodes `bytes`; `object` names them in the error.
  ///
  /// - Parameter ignoringCase: Keys that are equal but for case count as the same, as in documents that programs written in Go read too.
  /// - Throws: `JSONError.unreadable`; `.ambiguous` for bytes that other programs may read otherwise: a repeated key, another encoding than UTF-8.
  public static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: [UInt8], object: String, ignoringCase: Bool = false
  ) throws(JSONError) -> Value {
    if let ambiguity = JSONKeys(bytes, ignoringCase: ignoringCase).ambiguity { throw .ambiguous(object: object, reason: ambiguity) }
    do {
      return try JSONDecoder().decode(type, from: Data(bytes))
    } catch {
      throw JSONError.unreadable(object: object, reason: reason(of: error), underlying: error)
    }
  }

  private static func bytes(of value: some Encodable, formatting: JSONEncoder.OutputFormatting) throws(JSONError) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting
    do {
      return [UInt8](try encoder.encode(value))
    } catch {
      throw JSONError.unwritable(type: String(describing: type(of: value)), underlying: error)
    }
  }

  private static func reason(of error: any Error) -> String {
    guard let error = error as? DecodingError else { return String(describing: error) }
    switch error {
    case .keyNotFound(let key, let context): return "missing key '\(key.stringValue)'\(place(context))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context): return context.debugDescription + place(context)
    case .dataCorrupted(let context):
      if let diagnostic = context.underlyingError as? any Diagnostic { return diagnostic.summary + place(context) }
      return context.debugDescription + place(context)
    @unknown default: return String(describing: error)
    }
  }

  private static func place(_ context: DecodingError.Context) -> String {
    guard !context.codingPath.isEmpty else { return "" }
    return " at " + context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
  }
}

/// A document that is not the JSON it should be, or a value that cannot be written as JSON.
public enum JSONError: Diagnostic {
  case unreadable(object: String, reason: String, underlying: any Error)
  /// Programs may read different things in it.
  case ambiguous(object: String, reason: String)
  case unwritable(type: String, underlying: any Error)

  public var summary: String {
    switch self {
    case .unreadable(let object, let reason, _), .ambiguous(let object, let reason): "\(object) is not the JSON expected: \(reason)"
    case .unwritable(let type, let underlying): "a value of type \(type) cannot be written as JSON: \(underlying)"
    }
  }
  public var cause: (any Error)? {
    // A digest or name that was refused inside the document explains more than "data corrupted".
    if case .unreadable(_, _, let underlying) = self, let diagnostic = underlying as? any Diagnostic { return diagnostic }
    return nil
  }
}
