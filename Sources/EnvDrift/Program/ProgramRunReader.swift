/// Reads the standard output of a training of one's own, line by line, into records and a `ProgramRun`. It does no I/O.
import EnvCore

/// A streaming reader. Records and other output may be mixed: a line that begins like a JSON object with a member is a record or a fault,
/// any other is the program's log.
public struct ProgramRunReader: Sendable {
  /// What became of a line.
  public enum Line: Sendable {
    case record(ProgramRecord)
    /// A JSON object that means nothing to a check; it is kept with the run.
    case unknown
    /// The program's own output.
    case log
  }

  /// What was read so far.
  public private(set) var run = ProgramRun()
  /// What was wrong with the stream.
  public private(set) var faults: [DriftError] = []
  private var line = 0
  private static let longestLine = 1 << 22
  /// Faults repeat themselves; the first ones tell.
  private static let mostFaults = 20

  /// A reader at the beginning of a stream.
  public init() {}

  /// Takes a line without its newline.
  ///
  /// - Throws: the fault of this line, which is kept too; reading may go on.
  public mutating func read(_ text: String) throws(DriftError) -> Line {
    line += 1
    do {
      return try interpret(text)
    } catch {
      if faults.count < Self.mostFaults { faults.append(error) }
      throw error
    }
  }

  /// Reads a kept stream: each line as it came.
  public static func replay(_ bytes: [UInt8]) -> ProgramRunReader {
    var reader = ProgramRunReader()
    var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    for line in lines { _ = try? reader.read(String(line)) }
    return reader
  }

  private mutating func interpret(_ text: String) throws(DriftError) -> Line {
    guard Self.looksLikeRecord(text) else { return .log }
    let excerpt = String(text.unicodeScalars.prefix(120).map(Character.init))
    guard text.utf8.count <= Self.longestLine else {
      throw .malformedRecord(line: line, excerpt: excerpt, reason: "it is longer than \(ByteCount(Self.longestLine))")
    }
    let object: JSONValue
    do {
      object = try CanonicalJSON.decode(JSONValue.self, from: Array(text.utf8), object: "the line")
    } catch {
      throw Self.refusal(line: line, text: text, excerpt: excerpt)
    }
    do {
      guard let record = try ProgramRecord(object) else { return .unknown }
      try run.add(record)
      return .record(record)
    } catch {
      throw .malformedRecord(line: line, excerpt: excerpt, reason: error.reason)
    }
  }

  /// `{"`, with blanks wherever JSON allows them. A Python dictionary that somebody prints begins with `{'`.
  private static func looksLikeRecord(_ text: String) -> Bool {
    let start = text.utf8.drop { $0 == 32 || $0 == 9 }
    guard start.first == UInt8(ascii: "{") else { return false }
    return start.dropFirst().first(where: { $0 != 32 && $0 != 9 }) == UInt8(ascii: "\"")
  }

  /// JSON has no such numbers, but Python and others write them where they are not told otherwise.
  private static func refusal(line: Int, text: String, excerpt: String) -> DriftError {
    let words = text.split { !$0.isLetter }
    if words.contains("NaN") || words.contains("Infinity") { return .notFinite(line: line, excerpt: excerpt) }
    guard text.utf8.last(where: { $0 != 32 }) == UInt8(ascii: "}") else { return .truncatedStream(line: line, bytes: text.utf8.count) }
    return .malformedRecord(line: line, excerpt: excerpt, reason: "it is not valid JSON")
  }
}
