/// YAML written for other programs: several documents, anchors, merge keys. What envctl's own files may hold is `YAMLNode.parse`'s to say.
import EnvCore

extension YAMLNode {
  /// Parses every document of a stream; an alias stands for a copy of what it names, a merge key (`<<`) for the pairs it brings.
  ///
  /// A copy keeps the place of the original. Copies of copies may not make the document larger than twice the file's bytes.
  ///
  /// - Throws: `YAMLError` for what is no YAML, is nested deeper than 128, or grows too large.
  public static func parseStream(_ bytes: [UInt8], file: String) throws(YAMLError) -> [YAMLNode] {
    var composer = try YAMLComposer(bytes, file: file, dialect: .foreign)
    var documents: [YAMLNode] = []
    while let document = try composer.document() { documents.append(document) }
    return documents
  }
}
