/// A recipe as a value: what an image is made of, before anything is resolved. Reading it from YAML is `RecipeReader`'s work.
import EnvCore
import Hashing
import OCI
import SystemPackage

/// What `image.yaml` says.
public struct Recipe: Sendable, Equatable {
  public var name: String
  public var platform: Platform
  /// RFC 3339 date and time of the image; file times are clamped to it.
  public var created: Timestamp
  public var debian: Debian
  public var python: Python?
  public var files: [BundledFiles]
  /// By path.
  public var links: [Link]
  /// `NAME=value` in the recipe's order.
  public var environment: [String]
  /// `uid:gid` or names.
  public var user: String
  public var workingDirectory: RecipePath
  public var command: [String]
  public var labels: [String: String]
  /// The folder `image.yaml` is in; sources of files are relative to it.
  public var folder: FilePath

  /// Packages of a Debian suite, in groups that become layers.
  public struct Debian: Sendable, Equatable, Codable {
    public var suite: String
    /// Lowest first. A dependency lands in the first layer that needs it.
    public var layers: [Layer]

    public struct Layer: Sendable, Equatable, Codable {
      public var name: String
      public var packages: [String]
    }
  }

  /// Wheels for the image's Python.
  public struct Python: Sendable, Equatable, Codable {
    /// `major.minor`, such as `3.11`.
    public var version: String
    /// PEP 508 requirements.
    public var requirements: [String]
    /// Files published on or after this date are not considered.
    public var before: Timestamp
  }

  /// A file or folder that travels with the recipe.
  public struct BundledFiles: Sendable, Equatable, Codable {
    /// Where it goes in the image.
    public var destination: RecipePath
    /// Relative to the recipe's folder.
    public var source: String
  }

  /// A symbolic link, such as the unversioned name of a library that a package ships under its versioned one only.
  public struct Link: Sendable, Equatable, Codable {
    public var path: RecipePath
    /// Something a package or a file of the recipe puts there.
    public var target: RecipePath
  }

  /// Digest of all that the recipe means; comments and layout of the YAML do not count.
  public var digest: Digest {
    get throws { .sha256(of: try CanonicalJSON.encode(Meaning(self))) }
  }

  /// Digest of what the package resolvers are asked; when it is unchanged, the pins may stay.
  public var resolutionDigest: Digest {
    get throws { .sha256(of: try CanonicalJSON.encode(Question(platform: platform, debian: debian, python: python))) }
  }

  private struct Question: Encodable {
    var platform: Platform
    var debian: Debian
    var python: Python?
  }

  private struct Meaning: Encodable {
    var name: String
    var question: Question
    var created: Timestamp
    var files: [BundledFiles]
    /// Nil where there are none: recipes that never had any keep their digest.
    var links: [Link]?
    var environment: [String]
    var user: String
    var workingDirectory: RecipePath
    var command: [String]
    var labels: [String: String]

    init(_ recipe: Recipe) {
      name = recipe.name
      question = Question(platform: recipe.platform, debian: recipe.debian, python: recipe.python)
      created = recipe.created
      files = recipe.files
      links = recipe.links.isEmpty ? nil : recipe.links
      environment = recipe.environment
      user = recipe.user
      workingDirectory = recipe.workingDirectory
      command = recipe.command
      labels = recipe.labels
    }
  }
}

/// An absolute path in the image, without `.`, `..` or empty components.
public struct RecipePath: Sendable, Hashable, Codable, CustomStringConvertible {
  /// Without the leading slash.
  public let relative: String

  /// Nil unless `text` is absolute and stays below the root.
  public init?(_ text: String) {
    guard text.hasPrefix("/"), text.utf8.count > 1 else { return nil }
    let components = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    guard components.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else { return nil }
    relative = String(text.dropFirst())
  }

  public var description: String { "/" + relative }

  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let path = RecipePath(text) else { throw ImageError.invalidImagePath(text) }
    self = path
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
