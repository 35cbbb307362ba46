/// A registry that serves an image made in code and lets a test break any part of the conversation.
import EnvCore
import Hashing
import LoopbackHTTP
import OCI

/// Serves the repository `team/model`. Plain HTTP: clients have to be told that it is insecure. Asked as a proxy, it answers for every host.
public final class ScriptedRegistry: Sendable {
  public static let repository = "team/model"
  private let server: LoopbackServer

  /// - Parameters:
  ///   - documents: Manifests and indexes; each can be asked for by digest, the last one also by the tag `v1`.
  ///   - breaking: Asked first; what it answers is sent.
  public init(
    documents: [[UInt8]], blobs: [[UInt8]], breaking: @escaping @Sendable (Request) -> Answer? = { _ in nil }
  ) throws {
    let manifests = Dictionary(documents.map { (Digest.sha256(of: $0).description, $0) }) { $1 }
    let contents = Dictionary(blobs.map { (Digest.sha256(of: $0).description, $0) }) { $1 }
    let tagged = documents.last
    server = try LoopbackServer(answering: { request in
      if let answer = breaking(request) { return answer }
      let path = Self.path(request)
      let parts = path.split(separator: "/").map(String.init)
      guard path.hasPrefix("/v2/\(Self.repository)/"), parts.count == 5 else { return Self.missing }
      switch parts[3] {
      case "manifests":
        guard let bytes = parts[4] == "v1" ? tagged : manifests[parts[4]] else { return Self.missing }
        return .ok(bytes, headers: ["Content-Type: \(Self.mediaType(of: bytes))"])
      case "blobs": return contents[parts[4]].map { Self.blob($0, range: request.headers["range"]) } ?? Self.missing
      default: return Self.missing
      }
    })
  }

  /// Serves this image, with `manifest` in place of its own where that is given.
  public convenience init(
    _ image: ImageFixture, manifest: [UInt8]? = nil, breaking: @escaping @Sendable (Request) -> Answer? = { _ in nil }
  ) throws {
    try self.init(
      documents: [manifest ?? image.manifest()], blobs: image.layers.map(\.blob) + [image.config()], breaking: breaking)
  }

  /// The path of either form a request may have (RFC 9112, section 3.2).
  private static func path(_ request: Request) -> Substring {
    guard request.path.hasPrefix("http://") else { return request.path[...] }
    return request.path.dropFirst("http://".count).drop { $0 != "/" }
  }

  public var host: String { "127.0.0.1:\(server.port)" }
  public var name: String { "\(host)/\(Self.repository)" }
  /// The heads of all requests so far.
  public var requests: [String] { server.requests }
  public func stop() { server.stop() }

  public static let missing = Answer.ok(
    Array(#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.utf8), status: "404 Not Found")

  /// The rest of a blob from where the client asks for it (RFC 9110, section 14).
  public static func blob(_ bytes: [UInt8], range: String?) -> Answer {
    guard let start = range.flatMap({ Int($0.drop { !$0.isNumber }.prefix { $0.isNumber }) }) else { return .ok(bytes) }
    guard start < bytes.count else { return .ok([], status: "416 Range Not Satisfiable") }
    return .ok(
      Array(bytes[start...]), headers: ["Content-Range: bytes \(start)-\(bytes.count - 1)/\(bytes.count)"], status: "206 Partial Content")
  }

  private static func mediaType(of document: [UInt8]) -> String {
    String(decoding: document.prefix(1 << 16), as: UTF8.self).contains(#""manifests""#)
      ? MediaType.imageIndex.rawValue : MediaType.imageManifest.rawValue
  }
}
