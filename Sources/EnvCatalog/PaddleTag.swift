/// The tags of PaddlePaddle's images, taken apart and put together. Which of them exist is data in `manifests/published/`.
import EnvCore

/// A tag that names one release and one build of it.
///
/// ```
/// VERSION := N.N.N ( "rc"N | "b"N )?
/// release := VERSION [ "-jupyter" | "-gpu-cuda" M.m "-cudnn" M[.m] [ "-trt" M.m ] ]
/// ```
/// Read from the history of the framework's installation documents, 2.1 to 3.x.
public struct PaddleTag: Hashable, Sendable, CustomStringConvertible {
  /// What the image holds beside the framework.
  public enum Build: Hashable, Sendable {
    case cpu
    case jupyter
    case gpu(cuda: Version, cudnn: Version, tensorRT: Version?)
  }

  public let version: ReleaseVersion
  public let build: Build

  /// Parses a tag.
  ///
  /// - Throws: `TagError.moving` for tags that name another image tomorrow, `.malformed` for what the grammar does not know.
  public init(parsing tag: String) throws(TagError) {
    guard !Self.isMoving(tag) else { throw .moving(tag) }
    let parts = tag.split(separator: "-", omittingEmptySubsequences: false)
    guard let version = ReleaseVersion(parsing: parts[0]), version.numbers.components.count == 3 else {
      throw .malformed(tag, reason: "it does not begin with a version such as 2.6.0 or 3.0.0b1")
    }
    self.version = version
    build = try Self.build(Array(parts.dropFirst()), of: tag)
  }

  private static func build(_ parts: [Substring], of tag: String) throws(TagError) -> Build {
    guard let kind = parts.first else { return .cpu }
    if kind == "jupyter", parts.count == 1 { return .jupyter }
    guard kind == "gpu", (3...4).contains(parts.count) else {
      throw .malformed(tag, reason: "after the version come -jupyter, or -gpu with -cuda, -cudnn and perhaps -trt")
    }
    let cuda = try number("cuda", in: parts[1], widths: 2...2, of: tag)
    let cudnn = try number("cudnn", in: parts[2], widths: 1...2, of: tag)
    let tensorRT = parts.count == 4 ? try number("trt", in: parts[3], widths: 2...2, of: tag) : nil
    return .gpu(cuda: cuda, cudnn: cudnn, tensorRT: tensorRT)
  }

  private static func number(
    _ name: String, in part: Substring, widths: ClosedRange<Int>, of tag: String
  ) throws(TagError) -> Version {
    guard part.hasPrefix(name), let version = Version(parsing: part.dropFirst(name.count)), version.isCanonical,
      widths.contains(version.components.count)
    else { throw .malformed(tag, reason: "'\(part)' is not \(name) and its version") }
    return version
  }

  private static func isMoving(_ tag: String) -> Bool {
    tag.hasPrefix("latest") || tag.contains("nightly") || tag == "dev" || tag == "develop"
  }

  public var description: String {
    switch build {
    case .cpu: "\(version)"
    case .jupyter: "\(version)-jupyter"
    case .gpu(let cuda, let cudnn, let tensorRT):
      "\(version)-gpu-cuda\(cuda)-cudnn\(cudnn)" + (tensorRT.map { "-trt\($0)" } ?? "")
    }
  }
}

/// Why a tag names no image that can be pinned by its parts.
public enum TagError: Diagnostic, Equatable {
  case moving(String)
  case malformed(String, reason: String)
  /// No such tag is made, whatever its grammar allows.
  case impossible(String)

  public var summary: String {
    switch self {
    case .moving(let tag): "the tag '\(tag)' moves: it names another image tomorrow"
    case .malformed(let tag, let reason): "'\(tag.prefix(130))' is not a tag of this image: \(reason)"
    case .impossible(let reason): reason
    }
  }
  public var hint: String? {
    if case .moving = self { "name a release, such as 2.6.2-gpu-cuda11.7-cudnn8.4-trt8.4" } else { nil }
  }
  public var exitCode: ExitCode { if case .moving = self { .policy } else { .usage } }
}
