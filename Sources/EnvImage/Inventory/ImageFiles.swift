/// Single files of an image, as they are seen through its unpacked layers: nothing is mounted.
import EnvCore
import EnvStore
import SafeFS
import SystemPackage

/// Those of some paths at which an image has a regular file.
public struct ImageFiles {
  private let layers: [MaterialisedLayer]
  /// By path without the leading slash, the layer it is seen in.
  private let roots: [String: FilePath]

  /// - Parameters:
  ///   - paths: Absolute.
  ///   - layers: Lowest first.
  public init(_ paths: Set<String>, in layers: [MaterialisedLayer]) throws {
    let wanted = Set(paths.map { String($0.drop { $0 == "/" }) })
    self.layers = layers
    roots = try LayerStack(roots: layers.map(\.root)).files { wanted.contains($0) }
  }

  /// The digest of each by its absolute path, as recorded when the layers were unpacked.
  public func digests() throws -> [String: Digest] {
    var found: [String: Digest] = [:]
    for layer in layers where roots.values.contains(layer.root) {
      for record in try layer.manifest().records where roots[record.path] == layer.root { found["/" + record.path] = record.digest }
    }
    return found
  }

  /// The content of one of them; nil where the image has no such file.
  public func read(_ path: String) throws -> [UInt8]? {
    let relative = String(path.drop { $0 == "/" })
    guard let root = roots[relative] else { return nil }
    return try RootDirectory(root).readFile(try RelativePath(relative))
  }
}
