/// What `envctl resolve` prints, for people and for machines.
import EnvCatalog
import EnvCore
import OCI

struct ResolutionDocument: Encodable {
  var request: String
  /// What can stand under `environment:` in envctl.yaml.
  var environment: String
  /// Other registries that carry the same image.
  var mirrors: [String]
  /// How it is known that the image exists.
  var known: String
  var cuda: String?
  var cudnn: String?
  var tensorRT: String?
  var python: String?
  var computeCapabilities: [String]?
  var driver: DriverRequirement?
  /// Manifest digests by platform, where the image is pinned.
  var pinned: [String: Digest]
  /// What third parties published for the tag; it pins nothing.
  var reportedDigest: Digest?
  /// The nearest images by tag, with how each is known, when the one asked for is made by a recipe.
  var nearest: [Neighbour]
  private var notes: [String]

  struct Neighbour: Encodable {
    var tag: String
    var known: String
  }

  private enum CodingKeys: String, CodingKey {
    case request, environment, mirrors, known, cuda, cudnn, tensorRT, python, computeCapabilities, driver, pinned, reportedDigest, nearest
  }

  init(_ triple: Triple, _ resolution: TripleResolution) {
    switch resolution {
    case .catalog(let entry, let build, let near, let isPublished):
      self.init(request: triple.description, environment: entry.name, mirrors: [], known: "catalog", build: build)
      if let floor = entry.driver { driver = DriverRequirement(shipped: driver?.shipped, floor: floor) }
      for (platform, digest) in entry.images { pinned[platform.description] = digest }
      if !isPublished { nearest = near.map { Neighbour(tag: "\($0.tag)", known: $0.evidence.rawValue) } }
      notes = ["made from packages by images/\(entry.recipe.lastComponent?.string ?? "")" + (isPublished ? "" : "; never published")]
    case .published(let image, let references):
      let names = references.map(\.description)
      self.init(
        request: triple.description, environment: names.first ?? "", mirrors: Array(names.dropFirst()), known: image.evidence.rawValue,
        build: image.build)
      computeCapabilities = image.computeCapabilities?.map(\.description)
      reportedDigest = image.reportedDigest
    }
  }

  init(_ tag: CUDATag, _ references: [ImageReference]) {
    let names = references.map(\.description)
    request = "NVIDIA's image of CUDA \(tag.version)"
    environment = names.first ?? ""
    mirrors = Array(names.dropFirst())
    known = Evidence.tagGrammar.rawValue
    cuda = "\(tag.version)"
    driver = DriverRequirement(cuda: tag.version)
    (pinned, nearest, notes) = ([:], [], [])
    switch tag.cudnn {
    case .none: break
    case .major(let number): cudnn = "\(number)"
    case .untold: notes = ["the tag does not tell cuDNN's version: `envctl lock` reads it from the image"]
    }
  }

  private init(request: String, environment: String, mirrors: [String], known: String, build: FrameworkBuild) {
    self.request = request
    self.environment = environment
    self.mirrors = mirrors
    self.known = known
    cuda = build.cuda?.description
    cudnn = build.cudnn?.description
    tensorRT = build.tensorRT?.description
    python = build.python?.description
    driver = build.cuda.flatMap { DriverRequirement(cuda: $0) }
    (pinned, nearest, notes) = ([:], [], [])
  }

  /// One fact a line, its name in front.
  var lines: [String] {
    var lines = ["\(request)", line("image", environment)]
    lines += mirrors.map { line("mirror", $0) } + [line("known", ([known] + notes).joined(separator: "; "))]
    if let cuda {
      lines.append(line("cuda", cuda))
      if let cudnn { lines.append(line("cudnn", cudnn)) }
      if let tensorRT { lines.append(line("trt", tensorRT)) }
      lines.append(line("driver", driver.map(Self.text) ?? "not known for CUDA \(cuda)"))
    }
    if let python { lines.append(line("python", python)) }
    if cuda != nil { lines.append(line("compute", computeCapabilities?.joined(separator: ", ") ?? "not known")) }
    lines += pinned.sorted { $0.key < $1.key }.map { line("pinned", "\($0.key) \($0.value)") }
    if pinned.isEmpty { lines.append(line("pinned", "no: `envctl lock` asks the registry for the digest")) }
    if let reportedDigest { lines.append(line("reported", "\(reportedDigest) (third party, not verified)")) }
    return lines + nearest.map { line("nearest", "\($0.tag) (\($0.known))") }
  }

  private func line(_ name: String, _ value: String) -> String {
    name + String(repeating: " ", count: 10 - name.count) + value
  }

  private static func text(_ driver: DriverRequirement) -> String {
    [driver.floor.map { "≥ \($0) at the least" }, driver.shipped.map { "\($0) ships with it" }].compactMap { $0 }.joined(separator: ", ")
  }
}
