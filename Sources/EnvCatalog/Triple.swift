/// What a person asks for, framework and CUDA and cuDNN, and what an image offers.
import EnvCore

/// The frameworks whose published images the catalog knows.
public enum Framework: String, Sendable, CaseIterable, Codable { case paddle }

/// A framework's release as one image holds it.
public struct FrameworkBuild: Hashable, Sendable {
  public let framework: Framework
  public let version: ReleaseVersion
  /// Nil for a build for the processor.
  public let cuda: Version?
  public let cudnn: Version?
  public let tensorRT: Version?
  /// Nil where it is not known.
  public let python: Version?

  public init(
    framework: Framework, version: ReleaseVersion, cuda: Version? = nil, cudnn: Version? = nil, tensorRT: Version? = nil,
    python: Version? = nil
  ) {
    self.framework = framework
    self.version = version
    self.cuda = cuda
    self.cudnn = cudnn
    self.tensorRT = tensorRT
    self.python = python
  }

  /// Whether both are the same release on the same CUDA and cuDNN, as far as both tell: one may write `11.8`, the other `11.8.89`.
  func isSameStack(as other: FrameworkBuild) -> Bool {
    let parts = [(cuda, other.cuda), (cudnn, other.cudnn)]
    return framework == other.framework && version == other.version && (cuda == nil) == (other.cuda == nil)
      && parts.allSatisfy { left, right in
        guard let left, let right else { return true }
        return left.begins(with: right) || right.begins(with: left)
      }
  }

  /// What a tag says it holds.
  init(_ tag: PaddleTag, python: Version? = nil) {
    if case .gpu(let cuda, let cudnn, let tensorRT) = tag.build {
      self.init(framework: .paddle, version: tag.version, cuda: cuda, cudnn: cudnn, tensorRT: tensorRT, python: python)
    } else {
      self.init(framework: .paddle, version: tag.version, python: python)
    }
  }
}

/// A request by parts: framework, CUDA, cuDNN, and where it matters TensorRT and Python.
///
/// Each version may be the beginning of one: cuDNN `8` is any 8.x. Without CUDA it asks for the build for the processor; without cuDNN,
/// TensorRT or Python, for any.
public struct Triple: Hashable, Sendable, CustomStringConvertible {
  public let framework: Framework
  public let version: ReleaseVersion
  public let cuda: Version?
  public let cudnn: Version?
  public let tensorRT: Version?
  public let python: Version?

  /// A request from the words a person wrote.
  ///
  /// - Throws: `TripleError.malformed` for a word that is no version, `.partWithoutCUDA` for cuDNN or TensorRT alone.
  public init(
    framework: Framework, version: String, cuda: String? = nil, cudnn: String? = nil, tensorRT: String? = nil, python: String? = nil
  ) throws(TripleError) {
    guard let release = ReleaseVersion(parsing: version) else { throw .malformed(part: "version", text: version) }
    self.framework = framework
    self.version = release
    self.cuda = try Self.version("cuda", cuda)
    self.cudnn = try Self.version("cudnn", cudnn)
    self.tensorRT = try Self.version("trt", tensorRT)
    self.python = try Self.version("python", python)
    if cuda == nil, let part = cudnn != nil ? "cudnn" : tensorRT != nil ? "trt" : nil { throw .partWithoutCUDA(part) }
  }

  private static func version(_ part: String, _ text: String?) throws(TripleError) -> Version? {
    guard let text else { return nil }
    guard let version = Version(parsing: text), version.isCanonical else { throw .malformed(part: part, text: text) }
    return version
  }

  public var description: String {
    let parts = [
      cuda.map { "CUDA \($0)" }, cudnn.map { "cuDNN \($0)" }, tensorRT.map { "TensorRT \($0)" }, python.map { "Python \($0)" },
    ]
    return (["\(framework) \(version)"] + parts.compactMap { $0 }).joined(separator: ", ")
  }

  /// Whether `build` is what was asked for. A Python that is not known does not speak against it.
  public func matches(_ build: FrameworkBuild) -> Bool {
    guard framework == build.framework, build.version.begins(with: version), (cuda == nil) == (build.cuda == nil) else { return false }
    let asked = [(cuda, build.cuda), (cudnn, build.cudnn), (tensorRT, build.tensorRT), (python, build.python ?? python)]
    return asked.allSatisfy { asked, offered in asked.map { offered?.begins(with: $0) ?? false } ?? true }
  }

  /// How far `build` is from what was asked for, most important part first; compare lexicographically.
  func distance(to build: FrameworkBuild) -> [Int] {
    release(to: build) + part(cuda, build.cuda, width: 2) + part(cudnn, build.cudnn, width: 2) + part(tensorRT, build.tensorRT, width: 2)
  }

  /// The same with CUDA and cuDNN before the framework: for those whose driver is given.
  func distanceByCUDA(to build: FrameworkBuild) -> [Int] {
    part(cuda, build.cuda, width: 2) + part(cudnn, build.cudnn, width: 2) + release(to: build)
  }

  private func release(to build: FrameworkBuild) -> [Int] {
    version.numbers.distance(to: build.version.numbers, width: 3) + [version.prerelease == build.version.prerelease ? 0 : 1]
  }

  private func part(_ asked: Version?, _ offered: Version?, width: Int) -> [Int] {
    guard let asked, let offered else { return [Int](repeating: 0, count: width) }
    return asked.distance(to: offered, width: width)
  }
}

/// Why a triple leads to no image. All of them are the request's fault and end with the status of usage errors, as an unknown name does.
public enum TripleError: Diagnostic, Equatable {
  case malformed(part: String, text: String)
  case partWithoutCUDA(String)
  /// `isProven`: the catalog's list of the release is complete. `recipe` makes the triple from packages.
  case neverPublished(Triple, nearest: [String], recipe: String?, isProven: Bool)
  /// Several images match, and envctl does not choose where the request leaves something open.
  case ambiguous(Triple, candidates: [String], openParts: [String])

  public var summary: String {
    switch self {
    case .malformed(let part, let text): "'\(text.prefix(60))' is not a \(part == "version" ? "version" : "version of \(part)")"
    case .partWithoutCUDA(let part): "\(part) is given without cuda"
    case .neverPublished(let triple, _, _, true): "\(triple): no such image was ever published"
    case .neverPublished(let triple, _, _, false): "\(triple): no such image is known to have been published"
    case .ambiguous(let triple, let candidates, let parts):
      "\(triple): \(candidates.count) images match, which differ in \(parts.joined(separator: ", ")): \(candidates.joined(separator: ", "))"
    }
  }

  public var hint: String? {
    switch self {
    case .malformed: "versions are numbers joined by dots, such as 11.8; a framework's may end with b1 or rc0"
    case .partWithoutCUDA: "name the CUDA version as well, or leave both out for the build for the processor"
    case .neverPublished(_, let nearest, let recipe, _):
      [
        recipe.map { "`envctl image build \($0)` makes it from packages" },
        nearest.isEmpty ? nil : "nearest: " + nearest.joined(separator: ", "),
      ]
      .compactMap { $0 }.joined(separator: "; ")
    case .ambiguous(_, _, let parts): "say which: " + parts.joined(separator: ", ")
    }
  }

  public var exitCode: ExitCode { .usage }
}
