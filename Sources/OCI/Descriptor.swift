/// Descriptors: how one document of an image points at another.
import EnvCore

/// A content descriptor (image-spec descriptor.md).
public struct Descriptor: Codable, Hashable, Sendable {
  public var mediaType: MediaType
  public var digest: Digest
  /// Bytes of the content.
  public var size: Int64
  public var platform: Platform?
  public var annotations: [String: String]?
  /// Where else the content may be had. Whoever follows them sends no credentials (CVE-2020-15157).
  public var urls: [String]?
  /// In a list of referrers, what the manifest is.
  public var artifactType: String?

  /// Whether it points at an index, of either origin.
  public var isIndex: Bool { mediaType == .imageIndex || mediaType == .dockerManifestList }

  public init(
    mediaType: MediaType, digest: Digest, size: Int64, platform: Platform? = nil, annotations: [String: String]? = nil
  ) {
    self.mediaType = mediaType
    self.digest = digest
    self.size = size
    self.platform = platform
    self.annotations = annotations
  }
}

extension Descriptor {
  /// The annotation that gives an entry of a layout's index its name (image-spec annotations.md).
  public static let tagAnnotation = "org.opencontainers.image.ref.name"

  /// The name of an entry of a layout's index.
  public var tag: String? { annotations?[Self.tagAnnotation] }
}

/// The platform an image runs on, in Go's names (image-spec image-index.md, "platform").
public struct Platform: Codable, Hashable, Sendable, CustomStringConvertible {
  public var architecture: String
  public var os: String
  public var variant: String?

  public init(os: String, architecture: String, variant: String? = nil) {
    self.os = os
    self.architecture = architecture
    self.variant = variant
  }

  /// Parses `linux/amd64` or `linux/arm64/v8`.
  public init?(parsing text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    self.init(os: parts[0], architecture: parts[1], variant: parts.count == 3 ? parts[2] : nil)
  }

  /// The platform this program was built for.
  public static var host: Platform {
    #if arch(x86_64)
      Platform(os: "linux", architecture: "amd64")
    #elseif arch(arm64)
      Platform(os: "linux", architecture: "arm64")
    #else
      #error("envctl knows no OCI name for this architecture")
    #endif
  }

  public var description: String { ([os, architecture] + (variant.map { [$0] } ?? [])).joined(separator: "/") }
}

extension Platform {
  /// How well an image for `offered` runs here, higher is better; nil when it does not.
  ///
  /// Within one architecture a variant names an instruction set: one that is not higher than ours runs (image-index.md, "Platform Variants").
  func fitness(of offered: Platform) -> Int? {
    guard offered.os == os, offered.architecture == architecture else { return nil }
    func level(_ platform: Platform) -> Int { Int(platform.variant?.drop { $0 == "v" }.prefix { $0.isNumber } ?? "") ?? baseline }
    let (wanted, has) = (level(self), level(offered))
    return has <= wanted ? has : nil
  }

  /// What an absent variant means: arm64 begins at v8, arm at v7, amd64 at v1.
  private var baseline: Int {
    switch architecture {
    case "arm64": 8
    case "arm": 7
    default: 1
    }
  }
}
