/// How files of expected results are read, whatever was trained.
import EnvCore

enum BaselineFile {
  private struct Envelope: Decodable { var schema: Int }

  /// Decodes a file's bytes; `object` names it in errors.
  ///
  /// - Throws: `unreadableBaseline`, `foreignBaselineSchema`, or what the value says against its content.
  static func decode<Content: Decodable>(_ bytes: [UInt8], schema: Int, object: String) throws(DriftError) -> Content {
    do {
      // The schema first: a file of another version need not have the other keys.
      let found = try CanonicalJSON.decode(Envelope.self, from: bytes, object: object).schema
      guard found == schema else { throw DriftError.foreignBaselineSchema(object: object, found: found) }
      return try CanonicalJSON.decode(Content.self, from: bytes, object: object)
    } catch let error as JSONError {
      throw .unreadableBaseline(error)
    } catch let error as DriftError {
      throw error
    } catch {
      throw .inconsistentBaseline(name: object, reason: String(describing: error))
    }
  }
}
