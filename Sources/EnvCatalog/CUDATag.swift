/// The tags of NVIDIA's CUDA images, taken apart and put together by their grammar alone: which exist, only a registry knows.
import EnvCore

/// A tag such as `12.2.0-cudnn8-devel-ubuntu22.04` or `12.8.1-cudnn-runtime-ubi9`.
///
/// ```
/// tag := N.N.N [ "-cudnn" [N] ] "-" ( "base" | "runtime" | "devel" ) "-" SYSTEM
/// ```
/// Tags of 12.4 and later carry no digit after `cudnn` (NVIDIA's tag list; 12.4 is from public Dockerfiles). Tags can be deleted upstream,
/// as has happened to whole CUDA series.
public struct CUDATag: Hashable, Sendable, CustomStringConvertible {
  /// Whether the image holds cuDNN, and how far its tag tells the version.
  public enum CuDNN: Hashable, Sendable {
    case none
    case major(Int)
    /// The version has to be read from the image.
    case untold
  }

  public enum Flavor: String, Sendable, CaseIterable { case base, runtime, devel }

  public let version: Version
  public let cudnn: CuDNN
  public let flavor: Flavor
  /// Distribution and release, such as `ubuntu22.04`, `ubi8`, `rockylinux9`.
  public let system: String

  /// The first CUDA version whose tags do not tell cuDNN's version.
  private static let untoldSince = [12, 4]

  /// Parses a tag.
  ///
  /// - Throws: `TagError.moving` for tags that name another image tomorrow, `.malformed` for what the grammar does not know.
  public init(parsing tag: String) throws(TagError) {
    guard !tag.hasPrefix("latest") else { throw .moving(tag) }
    var parts = tag.split(separator: "-", omittingEmptySubsequences: false)[...]
    guard let version = Version(parsing: parts.removeFirst()), version.isCanonical, (2...3).contains(version.components.count) else {
      throw .malformed(tag, reason: "it does not begin with a CUDA version such as 12.2.0")
    }
    // 11.8-devel-… was moved from one update to the next.
    guard version.components.count == 3 else { throw .moving(tag) }
    self.version = version
    cudnn = try Self.cudnn(&parts, of: tag)
    guard let word = parts.popFirst(), let flavor = Flavor(rawValue: String(word)) else {
      throw .malformed(tag, reason: "it names none of base, runtime and devel")
    }
    guard !(flavor == .base && cudnn != .none) else { throw .malformed(tag, reason: "a base image holds no cuDNN") }
    self.flavor = flavor
    guard parts.count == 1, let system = parts.first, Self.isSystem(system) else {
      throw .malformed(tag, reason: "it does not end with one distribution such as ubuntu22.04")
    }
    self.system = String(system)
  }

  /// The tag NVIDIA's grammar gives these parts.
  ///
  /// - Parameter cudnn: Its version, of which only the major number can stand in a tag; nil for an image without it.
  public init(version: Version, cudnn: Version?, flavor: Flavor, system: String) throws(TagError) {
    guard version.isCanonical, version.components.count == 3 else {
      throw .impossible("CUDA \(version) names no image: its tags carry three numbers, such as 12.2.0")
    }
    guard Self.isSystem(system[...]) else { throw .impossible("'\(system)' is not a distribution such as ubuntu22.04") }
    guard cudnn == nil || flavor != .base else { throw .impossible("NVIDIA's base images hold no cuDNN: take runtime or devel") }
    self.version = version
    self.flavor = flavor
    self.system = system
    let isUntold = !version.components.lexicographicallyPrecedes(Self.untoldSince)
    self.cudnn = cudnn.map { isUntold ? .untold : .major($0.components[0]) } ?? .none
  }

  private static func cudnn(_ parts: inout ArraySlice<Substring>, of tag: String) throws(TagError) -> CuDNN {
    guard let part = parts.first, part.hasPrefix("cudnn") else { return .none }
    parts.removeFirst()
    let digits = part.dropFirst("cudnn".count)
    if digits.isEmpty { return .untold }
    guard let number = Version(parsing: digits), number.isCanonical, number.components.count == 1 else {
      throw .malformed(tag, reason: "'\(part)' is not cudnn and its major version")
    }
    return .major(number.components[0])
  }

  /// A name and a release, as in `ubuntu22.04`.
  private static func isSystem(_ text: Substring) -> Bool {
    let name = text.utf8.prefix { (97...122).contains($0) }
    guard !name.isEmpty, name.count <= 30, let release = Version(parsing: text.dropFirst(name.count)) else { return false }
    return release.components.count <= 2
  }

  public var description: String {
    let cudnn =
      switch cudnn {
      case .none: ""
      case .major(let number): "-cudnn\(number)"
      case .untold: "-cudnn"
      }
    return "\(version)\(cudnn)-\(flavor.rawValue)-\(system)"
  }
}
