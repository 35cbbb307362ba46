/// Asks package indexes for the pages of projects (simple repository API).
import EnvCore
import HTTP

struct IndexClient: Sendable {
  /// Base URLs without a final slash, the main one first.
  let indexes: [String]
  let client: HTTPClient

  /// The files all indexes together list for the project; an index that does not know it lists none.
  func files(of project: String) throws -> [IndexFile] {
    try indexes.flatMap { index -> [IndexFile] in
      do {
        return try page(of: project, on: index)
      } catch HTTPError.status(_, 404, _) {
        return []
      }
    }
  }

  /// The listed file that a pin means. An entry with another digest is passed over as long as there may be a right one.
  func file(_ pin: RecipeLock.WheelPin) throws -> IndexFile {
    let candidates = try files(of: pin.project).filter { $0.filename == pin.filename }
    if let match = candidates.first(where: { $0.sha256 == nil || $0.sha256 == pin.sha256 }) { return match }
    if let other = candidates.lazy.compactMap(\.sha256).first {
      throw ImageError.digestDiffersOnIndex(filename: pin.filename, expected: pin.sha256, actual: other)
    }
    throw ImageError.notOnIndex(filename: pin.filename, project: pin.project, indexes: indexes.map { redacted(url: $0) })
  }

  private func page(of project: String, on index: String) throws -> [IndexFile] {
    // A mirror on disk has no server that would know which file stands for a folder.
    let url = "\(index)/\(project)/" + (index.hasPrefix("file:") ? "index.html" : "")
    let (response, body) = try client.get(HTTPRequest(url, headers: [("Accept", IndexPage.accept)], sizeLimit: 256 << 20))
    return try IndexPage.files(body, contentType: response.contentType, url: response.effectiveURL)
  }
}
